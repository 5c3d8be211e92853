import { ProgressBar } from "react-aria-components";
import type { Job } from "../api/types";

/** How far a job is: done, skipped, and failed. */
export function Progress({ job }: { job: Job }) {
  const { done = 0, failed = 0, skipped = 0, cancelled = 0 } = job.counts;
  const total = Math.max(1, job.total);
  const ended = done + failed + skipped + cancelled;
  return (
    <ProgressBar className="progress" aria-label={`Progress of ${job.tool}`} value={ended} maxValue={total}>
      <span className="progress-track">
        <span className="progress-done" style={{ width: `${(100 * (done + skipped)) / total}%` }} />
        <span className="progress-failed" style={{ width: `${(100 * failed) / total}%` }} />
      </span>
      <span className="progress-text">
        {ended} / {job.total}
      </span>
    </ProgressBar>
  );
}
