import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { get, path, urlOf } from "../api/client";
import type { Job, JobItem } from "../api/types";

/** A job as it stands, followed by server-sent events while it runs. */
export function useJob(id: string) {
  const client = useQueryClient();
  const job = useQuery({ queryKey: ["job", id], queryFn: () => get<Job>(path`/jobs/${id}`) });
  const isLive = job.data?.state === "running" || job.data?.state === "waiting";
  useEffect(() => {
    if (!isLive) return;
    const events = new EventSource(urlOf(path`/jobs/${id}/events`));
    const change = (update: (before: Job) => Job) =>
      client.setQueryData<Job>(["job", id], (before) => (before ? update(before) : before));
    events.addEventListener("item", (event) => {
      const item = JSON.parse(event.data) as JobItem;
      change((before) => withItem(before, item));
    });
    events.addEventListener("job", (event) => {
      const next = JSON.parse(event.data) as Partial<Job>;
      change((before) => ({ ...before, ...next, items: next.items ?? before.items }));
      if (next.state && next.state !== "running" && next.state !== "waiting") {
        events.close();
        for (const key of ["job", "jobs", "experiment", "experiments", "items", "status", "lineage", "runs"]) {
          void client.invalidateQueries({ queryKey: [key] });
        }
      }
    });
    return () => events.close();
  }, [id, isLive, client]);
  return job;
}

function withItem(job: Job, item: JobItem): Job {
  const items = [...job.items];
  const at = items.findIndex((one) => one.index === item.index);
  const before = items[at];
  if (before) items[at] = { ...before, ...item };
  else items.push(item);
  const counts = { ...job.counts };
  if (before) counts[before.state] = Math.max(0, (counts[before.state] ?? 0) - 1);
  counts[item.state] = (counts[item.state] ?? 0) + 1;
  return { ...job, items, counts };
}
