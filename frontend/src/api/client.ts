/** Speaks to the API: JSON in and out, problems as errors, the CSRF token on whatever changes something. */

const PREFIX = "/api/v1";
let csrfToken: string | null = null;

export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** What the API says went wrong (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly place: { start: number; end: number } | null,
  ) {
    super(detail || title);
    this.name = "Problem";
  }
}

export type Parameters = Record<string, string | number | boolean | null | undefined>;

export function urlOf(path: string, parameters: Parameters = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `${PREFIX}${path}${text ? `?${text}` : ""}`;
}

export function path(parts: TemplateStringsArray, ...values: (string | number)[]): string {
  return parts.reduce((text, part, index) => text + encodeURIComponent(String(values[index - 1])) + part);
}

export async function get<T>(where: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  return answer<T>(await fetch(urlOf(where, parameters), { signal, headers: { Accept: "application/json" } }));
}

export async function send<T>(
  method: "POST" | "PATCH" | "PUT" | "DELETE",
  where: string,
  body?: unknown,
  parameters: Parameters = {},
): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (csrfToken) headers["X-CSRF-Token"] = csrfToken;
  const isFile = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  const payload = body === undefined ? undefined : isFile ? body : JSON.stringify(body);
  return answer<T>(await fetch(urlOf(where, parameters), { method, headers, body: payload }));
}

async function answer<T>(response: Response): Promise<T> {
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  if (!response.ok) {
    const problem = isJson ? await response.json().catch(() => ({})) : {};
    throw new Problem(
      response.status,
      problem.title ?? response.statusText,
      problem.detail ?? "",
      problem.place ?? null,
    );
  }
  if (response.status === 204) return undefined as T;
  return (isJson ? response.json() : response.text()) as Promise<T>;
}

/** Say an error in words for people. */
export function said(error: unknown): string {
  if (error instanceof Problem) return error.detail || error.title || `The server answered ${error.status}.`;
  if (error instanceof TypeError) return "The server cannot be reached.";
  return error instanceof Error ? error.message : String(error);
}
