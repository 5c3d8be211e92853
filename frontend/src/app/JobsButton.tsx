import { Link } from "@tanstack/react-router";
import { Activity } from "lucide-react";
import { useJobs } from "../api/queries";

export function JobsButton() {
  const jobs = useJobs().data ?? [];
  const running = jobs.filter((job) => job.state === "running" || job.state === "waiting").length;
  return (
    <Link to="/jobs" className="button button-plain" aria-label={running ? `Jobs, ${running} running` : "Jobs"}>
      <Activity size={17} aria-hidden="true" className={running ? "pulse" : ""} />
      <span className="wide-only">Jobs</span>
      {running ? <span className="badge badge-accent">{running}</span> : null}
    </Link>
  );
}
