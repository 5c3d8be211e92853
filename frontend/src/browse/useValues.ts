import { useQuery } from "@tanstack/react-query";
import { get, path } from "../api/client";

/** The values that a key has in an experiment. */
export function useValues(eid: string, key: string): string[] {
  const values = useQuery({
    queryKey: ["values", eid, key],
    queryFn: () =>
      get<{ items: (string | { value: string })[] }>(path`/experiments/${eid}/keys/${key}/values`, { limit: 200 }),
    enabled: key.trim() !== "",
    retry: false,
  });
  return (values.data?.items ?? []).map((value) => (typeof value === "string" ? value : value.value)).filter(Boolean);
}
