import { Link } from "@tanstack/react-router";
import { Eye, Images, TriangleAlert } from "lucide-react";
import { useData } from "../api/queries";
import type { Lineage, LineageNode } from "../api/types";
import { Facts, Origin } from "../browse/Record";
import { Thumbnail } from "../browse/Thumbnail";

interface Props {
  node: LineageNode;
  lineage: Lineage;
  onChoose: (id: string) => void;
  eid?: string;
}

/** What a box of the graph stands for, and its neighbours, so that one can walk without a mouse. */
export function NodeDetails({ node, lineage, onChoose, eid }: Props) {
  const data = useData(node.kind === "data" ? node.id : undefined).data;
  const named = (id: string) => lineage.nodes.find((one) => one.id === id);
  const before = lineage.edges.filter((edge) => edge.to === node.id).map((edge) => named(edge.from));
  const after = lineage.edges.filter((edge) => edge.from === node.id).map((edge) => named(edge.to));
  return (
    <>
      <header className="inspector-head">
        <h2>{node.name}</h2>
        <span className="quiet">{node.kind}</span>
      </header>
      {node.state === "stale" ? (
        <p className="warn">
          <TriangleAlert size={14} aria-hidden="true" /> out of date
        </p>
      ) : null}
      {data ? (
        <>
          <div className="preview">
            <Thumbnail url={data.thumbnail} format={data.format} size={160} />
          </div>
          <div className="ways">
            <Link to="/view/$did" params={{ did: data.id }} className="button">
              <Eye size={15} aria-hidden="true" />
              View
            </Link>
          </div>
        </>
      ) : null}
      {node.kind === "dataset" && eid ? (
        <div className="ways">
          <Link to="/e/$eid/d/$dataset" params={{ eid, dataset: node.name }} className="button">
            <Images size={15} aria-hidden="true" />
            Browse
          </Link>
        </div>
      ) : null}
      <Neighbours title="Made from" nodes={before} onChoose={onChoose} />
      <Neighbours title="Made of it" nodes={after} onChoose={onChoose} />
      {data ? (
        <>
          <Origin detail={data} />
          <Facts detail={data} />
        </>
      ) : null}
    </>
  );
}

function Neighbours({
  title,
  nodes,
  onChoose,
}: {
  title: string;
  nodes: (LineageNode | undefined)[];
  onChoose: (id: string) => void;
}) {
  const known = nodes.filter((node) => node !== undefined);
  if (known.length === 0) return null;
  return (
    <section className="panel">
      <h3>{title}</h3>
      <ul className="neighbours">
        {known.slice(0, 100).map((node) => (
          <li key={node.id}>
            <button type="button" className="value" onClick={() => onChoose(node.id)}>
              {node.name} <span className="quiet">{node.kind}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
