/** Places the nodes of a lineage: what something was made from lies left of it, or above where that is seen larger. */

import dagre from "@dagrejs/dagre";
import { type Edge, MarkerType, type Node } from "@xyflow/react";
import type { Lineage, LineageNode } from "../api/types";
import type { Size } from "../ui/useSize";

export const WIDTH = 172;
export const HEIGHT = 52;

export interface Point {
  x: number;
  y: number;
}

export type LineageFlowNode = Node<{ node: LineageNode; isHere: boolean; isDown: boolean }, "lineage">;
export type LineageFlowEdge = Edge<{ points: Point[] }, "lineage">;

interface LaidOut {
  nodes: LineageFlowNode[];
  edges: LineageFlowEdge[];
}

/** Lay a lineage out for a pane of a size, in the direction in which more of it is legible. */
export function laidOut(lineage: Lineage, here: string | undefined, pane: Size): LaidOut {
  const across = placed(lineage, false);
  const down = placed(lineage, true);
  const isDown = scaleIn(down, pane) > scaleIn(across, pane) * 1.1;
  const graph = isDown ? down : across;
  return {
    nodes: lineage.nodes.map((node) => {
      const { x, y } = graph.node(node.id);
      return {
        id: node.id,
        type: "lineage",
        position: { x: x - WIDTH / 2, y: y - HEIGHT / 2 },
        width: WIDTH,
        height: HEIGHT,
        data: { node, isHere: node.id === here, isDown },
        ariaLabel: `${node.kind} ${node.name}${node.state === "stale" ? ", out of date" : ""}`,
      };
    }),
    edges: lineage.edges.map((edge, index) => ({
      id: `${index} ${edge.from} ${edge.to}`,
      type: "lineage",
      source: edge.from,
      target: edge.to,
      label: edge.label.length > 14 ? undefined : edge.label || undefined,
      markerEnd: { type: MarkerType.ArrowClosed },
      focusable: false,
      data: { points: graph.edge(edge.from, edge.to).points },
    })),
  };
}

/** A line through points, its corners rounded. */
export function lineThrough(points: Point[]): string {
  const [first, ...others] = points;
  const last = others.at(-1);
  if (!first || !last) return "";
  const corners = others.slice(0, -1).map((corner, index) => {
    const next = others[index + 1] ?? last;
    return `Q${corner.x},${corner.y} ${(corner.x + next.x) / 2},${(corner.y + next.y) / 2}`;
  });
  return [`M${first.x},${first.y}`, ...corners, `L${last.x},${last.y}`].join(" ");
}

function placed(lineage: Lineage, isDown: boolean) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: isDown ? "TB" : "LR", nodesep: 18, ranksep: isDown ? 44 : 72 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of lineage.nodes) graph.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const edge of lineage.edges) graph.setEdge(edge.from, edge.to);
  dagre.layout(graph);
  return graph;
}

/** How large it would be seen, where it has to fit. */
function scaleIn(graph: ReturnType<typeof placed>, pane: Size): number {
  const { width = 1, height = 1 } = graph.graph();
  return Math.min(1.1, pane.width / width, pane.height / height);
}
