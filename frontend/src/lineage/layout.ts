/** Places the nodes of a lineage: what something was made from lies left of it. */

import dagre from "@dagrejs/dagre";
import { type Edge, MarkerType, type Node } from "@xyflow/react";
import type { Lineage, LineageNode } from "../api/types";

export const WIDTH = 172;
export const HEIGHT = 52;

export type LineageFlowNode = Node<{ node: LineageNode; isHere: boolean; goTo?: string }, "lineage">;

export function laidOut(lineage: Lineage, here: string | undefined): { nodes: LineageFlowNode[]; edges: Edge[] } {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 72 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of lineage.nodes) graph.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const edge of lineage.edges) graph.setEdge(edge.from, edge.to);
  dagre.layout(graph);
  return {
    nodes: lineage.nodes.map((node) => {
      const { x, y } = graph.node(node.id);
      return {
        id: node.id,
        type: "lineage",
        position: { x: x - WIDTH / 2, y: y - HEIGHT / 2 },
        width: WIDTH,
        height: HEIGHT,
        data: { node, isHere: node.id === here },
        ariaLabel: `${node.kind} ${node.name}${node.state === "stale" ? ", out of date" : ""}`,
      };
    }),
    edges: lineage.edges.map((edge, index) => ({
      id: `${index} ${edge.from} ${edge.to}`,
      source: edge.from,
      target: edge.to,
      label: edge.label.length > 14 ? undefined : edge.label || undefined,
      markerEnd: { type: MarkerType.ArrowClosed },
      focusable: false,
    })),
  };
}
