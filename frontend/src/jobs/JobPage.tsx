import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Square } from "lucide-react";
import { useRef, useState } from "react";
import { Button, ToggleButton, ToggleButtonGroup } from "react-aria-components";
import { get, path, said, send } from "../api/client";
import { useSession } from "../api/queries";
import type { Job, JobItem } from "../api/types";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { tell } from "../ui/Toasts";
import { Progress } from "./Progress";
import { StateBadge } from "./StateBadge";
import { useJob } from "./useJob";

const route = getRouteApi("/jobs/$id");

/** A job: what becomes of each of its items while it runs, and what they wrote. */
export function JobPage() {
  const { id } = route.useParams();
  const job = useJob(id);
  const [chosen, setChosen] = useState<number | null>(null);
  const [filter, setFilter] = useState("all");
  if (job.isPending) return <Loading what="Loading the job" />;
  if (job.error) return <Failure title="This job cannot be shown" error={job.error} />;
  const items = job.data.items.filter((item) => filter === "all" || item.state === filter);
  return (
    <div className="page job">
      <Head job={job.data} />
      {job.data.message ? (
        <p className={job.data.state === "failed" ? "banner banner-warn" : "banner quiet"}>{job.data.message}</p>
      ) : null}
      <div className="job-body">
        <section className="job-items" aria-label="Items">
          <ToggleButtonGroup
            aria-label="Show items"
            className="segmented"
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[filter]}
            onSelectionChange={([key]) => setFilter(String(key))}
          >
            {["all", "running", "done", "failed"].map((state) => (
              <ToggleButton key={state} id={state}>
                {state} {state === "all" ? job.data.total : (job.data.counts[state as "done"] ?? 0)}
              </ToggleButton>
            ))}
          </ToggleButtonGroup>
          <ItemList items={items} chosen={chosen} onChoose={setChosen} />
        </section>
        <Log id={id} item={job.data.items.find((item) => item.index === chosen)} />
      </div>
    </div>
  );
}

function Head({ job }: { job: Job }) {
  const role = useSession().data?.role;
  const isLive = job.state === "running" || job.state === "waiting";
  const cancel = () =>
    send("DELETE", path`/jobs/${job.id}`).then(
      () => tell({ text: "The job is being cancelled" }),
      (error) => tell({ text: `Not cancelled: ${said(error)}`, isError: true }),
    );
  return (
    <div className="page-head">
      <h1>{job.tool}</h1>
      <StateBadge state={job.state} />
      <Link to="/e/$eid/d/$dataset" params={{ eid: job.experiment, dataset: job.output }}>
        {job.experiment_name} / {job.output}
      </Link>
      <span className="grow" />
      <Progress job={job} />
      {isLive && role === "owner" ? (
        <Button className="button button-danger" onPress={() => void cancel()}>
          <Square size={13} aria-hidden="true" />
          Cancel
        </Button>
      ) : null}
    </div>
  );
}

const ROW = 34;

function ItemList({
  items,
  chosen,
  onChoose,
}: {
  items: JobItem[];
  chosen: number | null;
  onChoose: (index: number) => void;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  return (
    <div ref={scroller} className="scroller" tabIndex={0} role="region" aria-label="Items of the job">
      <ul className="tbody" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((row) => {
          const item = items[row.index];
          if (!item) return null;
          return (
            <li key={item.index} className="job-row" style={{ transform: `translateY(${row.start}px)` }}>
              <button type="button" aria-pressed={item.index === chosen} onClick={() => onChoose(item.index)}>
                <StateBadge state={item.state} />
                <span className="ellipsis">{item.name}</span>
                <span className="quiet ellipsis">{item.message}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Log({ id, item }: { id: string; item: JobItem | undefined }) {
  const log = useQuery({
    queryKey: ["log", id, item?.index, item?.state],
    queryFn: () => get<string | { text: string }>(path`/jobs/${id}/items/${item?.index ?? 0}/log`),
    enabled: item !== undefined,
    refetchInterval: item?.state === "running" ? 1500 : false,
  });
  const text = typeof log.data === "string" ? log.data : log.data?.text;
  return (
    <section className="job-log" aria-label="Log">
      {item ? (
        <>
          <h2>{item.name}</h2>
          {item.message ? <p>{item.message}</p> : null}
          {log.error ? <Failure title="There is no log" error={log.error} /> : null}
          <pre tabIndex={0}>{text?.trim() || (log.isPending ? "…" : "It wrote nothing.")}</pre>
        </>
      ) : (
        <p className="quiet">Choose an item to see what it wrote.</p>
      )}
    </section>
  );
}
