import "@xyflow/react/dist/base.css";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { BaseEdge, Controls, type EdgeProps, Handle, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import { Images, Layers, TriangleAlert, Wand } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { useDataLineage, useDatasetLineage } from "../api/queries";
import type { Lineage, LineageNode } from "../api/types";
import { Failure, Nothing } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { useSize } from "../ui/useSize";
import { laidOut, type LineageFlowEdge, type LineageFlowNode, lineThrough } from "./layout";
import { NodeDetails } from "./NodeDetails";

const ofData = getRouteApi("/lineage/$did");
const ofDataset = getRouteApi("/e/$eid/d/$dataset/lineage");

/** Where a data comes from, and what was made of it. */
export function DataLineagePage() {
  const { did } = ofData.useParams();
  const lineage = useDataLineage(did);
  if (lineage.isPending) return <Loading what="Following the lineage" />;
  if (lineage.error) return <Failure title="The lineage cannot be read" error={lineage.error} />;
  return <Graph key={did} lineage={lineage.data} here={did} />;
}

/** How the datasets of an experiment came from each other. */
export function DatasetLineagePage() {
  const { eid, dataset } = ofDataset.useParams();
  const lineage = useDatasetLineage(eid, dataset);
  if (lineage.isPending) return <Loading what="Following the lineage" />;
  if (lineage.error) return <Failure title="The lineage cannot be read" error={lineage.error} />;
  const here = lineage.data.nodes.find((node) => node.kind === "dataset" && node.name === dataset)?.id;
  return <Graph key={`${eid} ${dataset}`} lineage={lineage.data} here={here} eid={eid} />;
}

const nodeTypes = { lineage: NodeBox };
const edgeTypes = { lineage: EdgeLine };

function Graph({ lineage, here, eid }: { lineage: Lineage; here: string | undefined; eid?: string }) {
  const navigate = useNavigate();
  const [chosen, setChosen] = useState<string | undefined>(here);
  const pane = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(pane);
  const { nodes, edges } = useMemo(() => laidOut(lineage, here, { width, height }), [lineage, here, width, height]);
  const isDown = nodes[0]?.data.isDown;
  const node = lineage.nodes.find((one) => one.id === chosen);
  if (lineage.nodes.length === 0) return <Nothing title="Nothing is known of where this comes from" />;
  const walk = (to: LineageNode) => {
    if (to.kind === "data" && to.id !== here) void navigate({ to: "/lineage/$did", params: { did: to.id } });
    if (to.kind === "dataset" && eid)
      void navigate({ to: "/e/$eid/d/$dataset/lineage", params: { eid, dataset: to.name } });
  };
  return (
    <div className="lineage">
      <h1 className="hidden">Lineage</h1>
      <div className="graph" ref={pane}>
        {width > 0 ? (
          <ReactFlow
            key={isDown ? "down" : "across"}
            nodes={nodes.map((one) => ({ ...one, selected: one.id === chosen }))}
            edges={edges}
            nodeTypes={nodeTypes}
            edgeTypes={edgeTypes}
            fitView
            fitViewOptions={{ maxZoom: 1.1, padding: 0.04 }}
            minZoom={0.05}
            nodesDraggable={false}
            nodesConnectable={false}
            edgesFocusable={false}
            onlyRenderVisibleElements={nodes.length > 300}
            onNodesChange={(changes) => {
              for (const change of changes) if (change.type === "select" && change.selected) setChosen(change.id);
            }}
            onNodeClick={(_, { id }) => setChosen(id)}
            onNodeDoubleClick={(_, { data }) => walk((data as LineageFlowNode["data"]).node)}
          >
            <Controls showInteractive={false} />
          </ReactFlow>
        ) : null}
      </div>
      <aside className="inspector" aria-label="Details">
        {node ? (
          <NodeDetails node={node} lineage={lineage} onChoose={setChosen} eid={eid} />
        ) : (
          <p className="quiet">Choose a box. A double click walks there.</p>
        )}
        {here && node && node.kind === "data" && node.id !== here ? (
          <Link to="/lineage/$did" params={{ did: node.id }} className="button">
            Walk there
          </Link>
        ) : null}
      </aside>
    </div>
  );
}

function NodeBox({ data, selected }: NodeProps<LineageFlowNode>) {
  const { node, isHere, isDown } = data;
  const Icon = node.kind === "run" ? Wand : node.kind === "dataset" ? Layers : Images;
  return (
    <div className={`node node-${node.kind}`} data-here={isHere || undefined} data-chosen={selected || undefined}>
      <Handle type="target" position={isDown ? Position.Top : Position.Left} isConnectable={false} />
      <Icon size={16} aria-hidden="true" />
      <span className="node-text">
        <strong className="ellipsis">{node.name}</strong>
        <span className="quiet ellipsis">{node.kind === "data" ? node.dataset || node.kind : node.kind}</span>
      </span>
      {node.state === "stale" ? <TriangleAlert size={14} className="warn" aria-hidden="true" /> : null}
      <Handle type="source" position={isDown ? Position.Bottom : Position.Right} isConnectable={false} />
    </div>
  );
}

function EdgeLine({ data, label, markerEnd }: EdgeProps<LineageFlowEdge>) {
  const points = data?.points ?? [];
  const middle = points[Math.floor(points.length / 2)];
  return (
    <BaseEdge path={lineThrough(points)} label={label} labelX={middle?.x} labelY={middle?.y} markerEnd={markerEnd} />
  );
}
