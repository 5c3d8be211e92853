import { Link } from "@tanstack/react-router";
import { useJobs } from "../api/queries";
import { Failure, Nothing } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Progress } from "./Progress";
import { StateBadge } from "./StateBadge";

export function JobsPage() {
  const jobs = useJobs();
  if (jobs.isPending) return <Loading what="Loading jobs" />;
  if (jobs.error) return <Failure title="The jobs cannot be listed" error={jobs.error} />;
  return (
    <div className="page">
      <div className="page-head">
        <h1>Jobs</h1>
      </div>
      {jobs.data.length === 0 ? <Nothing title="No tool was run here yet" /> : null}
      <ul className="jobs">
        {jobs.data.map((job) => (
          <li key={job.id}>
            <Link to="/jobs/$id" params={{ id: job.id }} className="card job-card">
              <StateBadge state={job.state} />
              <strong>{job.tool}</strong>
              <span className="quiet ellipsis">
                {job.experiment_name} → {job.output}
              </span>
              <span className="grow" />
              <Progress job={job} />
              <span className="quiet">{job.started.replace("T", " ").slice(0, 16)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
