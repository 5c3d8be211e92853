import { CircleCheck, TriangleAlert } from "lucide-react";
import { useStatus } from "../api/queries";
import { isStale } from "./staleness";

/** Whether a processed dataset is still what its tool would make of what it was made from, and if not, why. */
export function StatusBanner({ eid, dataset }: { eid: string; dataset: string }) {
  const status = useStatus(eid, dataset).data;
  if (!status) return null;
  if (!isStale(status)) return null;
  return (
    <details className="banner banner-warn">
      <summary>
        <TriangleAlert size={14} aria-hidden="true" /> Out of date:{" "}
        {status.reasons[0] ?? "made otherwise than it would be now"}
        {status.reasons.length > 1 ? `, and ${status.reasons.length - 1} more reasons` : ""}
      </summary>
      <ul>
        {status.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
    </details>
  );
}

/** Says that a processed dataset is up to date, or that it cannot be known. */
export function StatusChip({ eid, dataset }: { eid: string; dataset: string }) {
  const status = useStatus(eid, dataset).data;
  if (!status || isStale(status)) return null;
  const isCurrent = status.state === "current";
  return (
    <span className="status-chip" title={status.reasons.join("\n") || undefined}>
      {isCurrent ? <CircleCheck size={14} className="ok" aria-hidden="true" /> : null}
      {isCurrent ? "Up to date" : `Staleness ${status.state}`}
    </span>
  );
}
