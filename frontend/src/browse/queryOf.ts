import type { Selection } from "./useSelection";

/** A query that selects what is selected: by names where it is a few, else the query that is searched. */
export function queryOf(query: string, selection: Selection): string {
  if (selection.chosen.size === 0) return query;
  const names = [...selection.chosen.values()].map((item) => quoted(item.name));
  const part = names.length === 1 ? `name==${names[0]}` : `name IN (${names.join(", ")})`;
  return part;
}

export function quoted(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `"${text.replace(/(["\\])/g, "\\$1")}"`;
}
