/** What the HTTP API gives and takes. */

export type Role = "reader" | "annotator" | "owner";

export interface Session {
  user: string | null;
  role: Role | null;
  csrf: string | null;
  version: string;
  services: Record<string, string>;
  /** How one can sign in; none where nobody need. */
  sign_in: ("password" | "token" | "provider")[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
  total?: number | null;
}

export interface DatasetSummary {
  id: string;
  name: string;
  kind: "raw" | "processed";
  size: number;
}

export interface Experiment {
  id: string;
  name: string;
  author: string;
  date: string;
  keys: string[];
  datasets: DatasetSummary[];
  /** Why it cannot be read. */
  error?: string | null;
}

export interface DataItem {
  id: string;
  uuid: string;
  name: string;
  kind: "raw" | "processed";
  author: string;
  date: string;
  format: string;
  key_values: Record<string, string>;
  output?: { name: string; label: string } | null;
  thumbnail: string | null;
}

export interface InputOfData {
  name: string;
  id: string | null;
  data_name?: string;
  kind: "raw" | "processed";
}

export interface RunRecord {
  id: string;
  tool: string;
  parameters: { name: string; value: string }[];
  inputs: { name: string; dataset: string; query: string; output: string }[];
  date?: string;
  state?: string;
}

export interface DataDetail extends DataItem {
  experiment: string | null;
  dataset: string | null;
  metadata: Record<string, unknown>;
  run: RunRecord | null;
  inputs: InputOfData[];
  size: number | null;
  axes?: string | null;
  shape?: number[] | null;
  pixel_sizes?: Record<string, Quantity> | null;
}

export interface Quantity {
  value: number;
  unit: string;
}

export interface ImageInfo {
  kind: "ome-zarr" | "ome-tiff";
  url: string;
  axes: string;
  shape: number[];
  dtype: string;
  pixel_sizes: Record<string, Quantity>;
  channels: { name: string; color: string | null; window: [number, number] | null }[];
  is_labels: boolean;
  scenes: string[];
}

export interface DatasetStatus {
  state: string;
  reasons: string[];
  items?: { id: string; name: string; state: string; reasons: string[] }[];
}

export interface Completion {
  insert: string;
  label: string;
  kind: "key" | "value" | "operator";
  start: number;
  end: number;
}

export interface Change {
  change: string;
  date: string;
  author: string;
  summary: string;
  count: number;
  undone: boolean;
  can_undo: boolean;
}

export interface LineageNode {
  id: string;
  kind: "data" | "run" | "dataset" | "missing";
  name: string;
  dataset: string;
  tool: string;
  state: string;
  is_image: boolean;
}

export interface Lineage {
  nodes: LineageNode[];
  edges: { from: string; to: string; label: string }[];
  /** Whether there is more than is told. */
  truncated: boolean;
}

export interface ToolSummary {
  fullname: string;
  id: string;
  name: string;
  version: string;
  description: string;
  categories: string[];
}

export interface Validator {
  type: string;
  message: string;
  negate: boolean;
  options: Record<string, string>;
  text: string;
}

export interface ParamField {
  kind: "param";
  name: string;
  type: string;
  label: string;
  help: string;
  optional: boolean;
  default: string | null;
  multiple: boolean;
  formats: string[];
  options: { value: string; label: string; is_selected: boolean }[];
  true_value: string;
  false_value: string;
  minimum: string;
  maximum: string;
  validators: Validator[];
  unsupported: string;
  is_data: boolean;
}

export interface ConditionalField {
  kind: "conditional";
  name: string;
  test: ParamField;
  cases: { value: string; members: Field[] }[];
}

export interface SectionField {
  kind: "section";
  name: string;
  label: string;
  members: Field[];
}

export interface RepeatField {
  kind: "repeat";
  name: string;
  label: string;
  members: Field[];
  minimum: number;
  maximum: number | null;
  default: number;
}

export type Field = ParamField | ConditionalField | SectionField | RepeatField;

export interface Tool extends ToolSummary {
  help: string;
  members: Field[];
  outputs: { name: string; label: string; format: string }[];
}

export interface JobInput {
  dataset: string;
  query: string;
  output: string;
}

export interface JobRequest {
  tool: string;
  inputs: Record<string, JobInput>;
  parameters: Record<string, unknown>;
  output: string;
  dry_run: boolean;
}

export interface Plan {
  count: number;
  tasks: { name: string; state: string; inputs: Record<string, string>; reasons?: string[] }[];
  warnings: string[];
}

export type ItemState = "waiting" | "running" | "done" | "failed" | "skipped" | "cancelled";

export interface JobItem {
  index: number;
  name: string;
  state: ItemState;
  message: string;
}

export interface Job {
  id: string;
  experiment: string;
  experiment_name: string;
  tool: string;
  output: string;
  user: string;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  message: string;
  started: string;
  ended: string | null;
  total: number;
  counts: Partial<Record<ItemState, number>>;
  items: JobItem[];
}

export interface Measurements {
  columns: { name: string; type: "number" | "text" }[];
  rows: (string | number | null)[][];
  data_ids: string[];
  truncated: boolean;
}
