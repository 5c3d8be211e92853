import type { DatasetStatus } from "../api/types";

/** Whether a dataset would come out otherwise if it was made again. */
export function isStale(status: DatasetStatus | undefined): boolean {
  return status?.state === "stale";
}
