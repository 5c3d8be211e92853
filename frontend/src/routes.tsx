/** The places of the page. They lie behind the `#`, so any server of files can serve it. */

import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { Shell } from "./app/Shell";
import { DatasetPage } from "./browse/DatasetPage";
import { ExperimentsPage } from "./home/ExperimentsPage";
import { Failure } from "./ui/Failure";
import { Loading } from "./ui/Loading";

export interface BrowseSearch {
  q?: string;
  output?: string;
  view?: "table";
}

export interface PlotSearch {
  kind?: "scatter";
  x?: string;
  y?: string;
  by?: string;
}

export interface RunSearch {
  tool?: string;
  dataset?: string;
  q?: string;
  output?: string;
}

export interface ViewSearch {
  beside?: string;
  labels?: string;
  scene?: number;
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value ? value : typeof value === "number" ? String(value) : undefined;

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Failure title="There is nothing at this address" />,
});

const home = createRoute({ getParentRoute: () => root, path: "/", component: ExperimentsPage });

const experiment = createRoute({
  getParentRoute: () => root,
  path: "/e/$eid",
  beforeLoad: ({ params }) => {
    throw redirect({ to: "/e/$eid/d/$dataset", params: { eid: params.eid, dataset: "data" } });
  },
});

const dataset = createRoute({
  getParentRoute: () => root,
  path: "/e/$eid/d/$dataset",
  validateSearch: (search: Record<string, unknown>): BrowseSearch => ({
    q: text(search.q),
    output: text(search.output),
    view: search.view === "table" ? "table" : undefined,
  }),
  component: DatasetPage,
});

const lineageOfDataset = createRoute({
  getParentRoute: () => root,
  path: "/e/$eid/d/$dataset/lineage",
  component: lazyRouteComponent(() => import("./lineage/LineagePage"), "DatasetLineagePage"),
});

const plots = createRoute({
  getParentRoute: () => root,
  path: "/e/$eid/d/$dataset/plots",
  validateSearch: (search: Record<string, unknown>): PlotSearch => ({
    kind: search.kind === "scatter" ? "scatter" : undefined,
    x: text(search.x),
    y: text(search.y),
    by: text(search.by),
  }),
  component: lazyRouteComponent(() => import("./plots/PlotsPage"), "PlotsPage"),
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/e/$eid/run",
  validateSearch: (search: Record<string, unknown>): RunSearch => ({
    tool: text(search.tool),
    dataset: text(search.dataset),
    q: text(search.q),
    output: text(search.output),
  }),
  component: lazyRouteComponent(() => import("./tools/RunPage"), "RunPage"),
});

const view = createRoute({
  getParentRoute: () => root,
  path: "/view/$did",
  validateSearch: (search: Record<string, unknown>): ViewSearch => ({
    beside: text(search.beside),
    labels: text(search.labels),
    scene: Number.isInteger(search.scene) && Number(search.scene) > 0 ? Number(search.scene) : undefined,
  }),
  component: lazyRouteComponent(() => import("./viewer/ViewerPage"), "ViewerPage"),
});

const lineageOfData = createRoute({
  getParentRoute: () => root,
  path: "/lineage/$did",
  component: lazyRouteComponent(() => import("./lineage/LineagePage"), "DataLineagePage"),
});

const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  component: lazyRouteComponent(() => import("./jobs/JobsPage"), "JobsPage"),
});

const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$id",
  component: lazyRouteComponent(() => import("./jobs/JobPage"), "JobPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    experiment,
    dataset,
    lineageOfDataset,
    plots,
    run,
    view,
    lineageOfData,
    jobs,
    job,
  ]),
  history: createHashHistory(),
  defaultPendingComponent: Loading,
  defaultErrorComponent: ({ error }) => <Failure error={error} />,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
