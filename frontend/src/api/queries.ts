/** The server's state as React sees it: one hook per resource, cached by TanStack Query. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, path, send, setCsrfToken } from "./client";
import type {
  Change,
  DataDetail,
  DataItem,
  DatasetStatus,
  Experiment,
  ImageInfo,
  Job,
  JobRequest,
  Lineage,
  Measurements,
  Page,
  Plan,
  RunRecord,
  Session,
  Tool,
  ToolSummary,
} from "./types";

export async function loadSession(): Promise<Session> {
  const session = await get<Session>("/session");
  setCsrfToken(session.csrf);
  return session;
}

export const useSession = () => useQuery({ queryKey: ["session"], queryFn: loadSession, staleTime: 60_000 });

export const useExperiments = () =>
  useQuery({ queryKey: ["experiments"], queryFn: () => allOf<Experiment>("/experiments") });

export const useExperiment = (eid: string) =>
  useQuery({
    queryKey: ["experiment", eid],
    queryFn: () => get<Experiment>(path`/experiments/${eid}`),
    enabled: eid !== "",
  });

/** The first images of a dataset, for a glance at it. */
export const useFirstItems = (eid: string, dataset: string, count: number, enabled: boolean) =>
  useQuery({
    queryKey: ["first", eid, dataset, count],
    queryFn: () => get<Page<DataItem>>(path`/experiments/${eid}/datasets/${dataset}/data`, { limit: count }),
    enabled,
    retry: false,
  });

export const useStatus = (eid: string, dataset: string, enabled = true) =>
  useQuery({
    queryKey: ["status", eid, dataset],
    queryFn: () => get<DatasetStatus>(path`/experiments/${eid}/datasets/${dataset}/status`),
    enabled,
  });

export const useRuns = (eid: string, dataset: string, enabled = true) =>
  useQuery({
    queryKey: ["runs", eid, dataset],
    queryFn: () => allOf<RunRecord>(path`/experiments/${eid}/datasets/${dataset}/runs`),
    enabled,
  });

export const useData = (did: string | undefined) =>
  useQuery({
    queryKey: ["data", did],
    queryFn: () => get<DataDetail>(path`/data/${did ?? ""}`),
    enabled: Boolean(did),
  });

export const useImage = (did: string | undefined, scene = 0) =>
  useQuery({
    queryKey: ["image", did, scene],
    queryFn: () => get<ImageInfo>(path`/data/${did ?? ""}/image`, { scene: scene || null }),
    enabled: Boolean(did),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });

export const useDataLineage = (did: string) =>
  useQuery({ queryKey: ["lineage", did], queryFn: () => get<Lineage>(path`/data/${did}/lineage`) });

export const useDatasetLineage = (eid: string, dataset: string) =>
  useQuery({
    queryKey: ["lineage", eid, dataset],
    queryFn: () => get<Lineage>(path`/experiments/${eid}/datasets/${dataset}/lineage`),
  });

export const useTools = (keyword: string) =>
  useQuery({ queryKey: ["tools", keyword], queryFn: () => allOf<ToolSummary>("/tools", { keyword }) });

export const useTool = (fullname: string) =>
  useQuery({ queryKey: ["tool", fullname], queryFn: () => get<Tool>(path`/tools/${fullname}`), retry: false });

export const useJobs = () =>
  useQuery({ queryKey: ["jobs"], queryFn: () => allOf<Job>("/jobs"), refetchInterval: 5000 });

export const useHistory = (eid: string, enabled: boolean) =>
  useQuery({
    queryKey: ["history", eid],
    queryFn: () => get<Page<Change>>(path`/experiments/${eid}/history`),
    enabled,
  });

export const useMeasurements = (eid: string, dataset: string) =>
  useQuery({
    queryKey: ["measurements", eid, dataset],
    queryFn: () => get<Measurements>(path`/experiments/${eid}/datasets/${dataset}/measurements`),
    retry: false,
  });

export interface Annotation {
  dataset: string;
  ids?: string[];
  query?: string;
  set: Record<string, string>;
  unset: string[];
}

export function useAnnotate(eid: string) {
  const refresh = useRefreshOfAnnotations(eid);
  return useMutation({
    mutationFn: (annotation: Annotation) =>
      send<{ change: string; count: number }>("POST", path`/experiments/${eid}/annotations`, annotation),
    onSuccess: refresh,
  });
}

export function useUndo(eid: string) {
  const refresh = useRefreshOfAnnotations(eid);
  return useMutation({
    mutationFn: (change: string) => send<unknown>("POST", path`/experiments/${eid}/annotations/${change}/undo`),
    onSuccess: refresh,
  });
}

function useRefreshOfAnnotations(eid: string) {
  const client = useQueryClient();
  return () =>
    Promise.all(
      [["items", eid], ["data"], ["experiment", eid], ["history", eid], ["measurements", eid]].map((queryKey) =>
        client.invalidateQueries({ queryKey }),
      ),
    );
}

export const planJob = (eid: string, job: JobRequest) =>
  send<Plan>("POST", path`/experiments/${eid}/jobs`, { ...job, dry_run: true });

export const startJob = (eid: string, job: JobRequest) =>
  send<{ id: string }>("POST", path`/experiments/${eid}/jobs`, { ...job, dry_run: false });

/** Read every page of a list that is short by nature. */
export async function allOf<T>(where: string, parameters: Record<string, string> = {}): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null | undefined;
  do {
    const page: Page<T> = await get<Page<T>>(where, { ...parameters, cursor });
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}
