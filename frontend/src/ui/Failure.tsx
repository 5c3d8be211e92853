import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { said } from "../api/client";

/** Say what went wrong, and what can be done. */
export function Failure({ title, error, children }: { title?: string; error?: unknown; children?: ReactNode }) {
  return (
    <div className="notice notice-failure" role="alert">
      <TriangleAlert size={18} aria-hidden="true" />
      <div>
        <strong>{title ?? "That did not work"}</strong>
        {error ? <p>{said(error)}</p> : null}
        {children}
      </div>
    </div>
  );
}

export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="nothing">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
