import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useState } from "react";
import { Input, SearchField } from "react-aria-components";
import { useTools } from "../api/queries";
import type { ToolSummary } from "../api/types";
import { Failure, Nothing } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { ToolForm } from "./ToolForm";

const route = getRouteApi("/e/$eid/run");

export function RunPage() {
  const { eid } = route.useParams();
  const search = route.useSearch();
  if (!search.tool) return <Picker />;
  return (
    <div className="page narrow">
      <Link to="/e/$eid/run" params={{ eid }} search={{ ...search, tool: undefined }} className="back">
        <ArrowLeft size={14} aria-hidden="true" /> All tools
      </Link>
      <ToolForm
        key={search.tool}
        eid={eid}
        fullname={search.tool}
        dataset={search.dataset ?? "data"}
        query={search.q ?? ""}
        output={search.output ?? ""}
      />
    </div>
  );
}

function Picker() {
  const { eid } = route.useParams();
  const search = route.useSearch();
  const tools = useTools("");
  const [wanted, setWanted] = useState("");
  if (tools.isPending) return <Loading what="Loading tools" />;
  if (tools.error) return <Failure title="The tools cannot be listed" error={tools.error} />;
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = tools.data.filter((tool) => {
    const text = `${tool.name} ${tool.id} ${tool.description} ${tool.categories.join(" ")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <div className="page">
      <div className="page-head">
        <h1>Run a tool</h1>
        <span className="quiet">
          on {search.dataset ?? "data"}
          {search.q ? (
            <>
              {" "}
              where <code>{search.q}</code>
            </>
          ) : null}
        </span>
        <span className="grow" />
        <SearchField aria-label="Find a tool" value={wanted} onChange={setWanted} className="field" autoFocus>
          <Input className="input" placeholder="Find a tool" />
        </SearchField>
      </div>
      {shown.length === 0 ? <Nothing title="No tool is called so" /> : null}
      {grouped(shown).map(([category, members]) => (
        <section key={category}>
          <h2 className={category ? "group-head" : "hidden"}>{category || "Tools"}</h2>
          <ul className="tools">
            {members.map((tool) => (
              <li key={tool.fullname}>
                <Link
                  to="/e/$eid/run"
                  params={{ eid }}
                  search={{ ...search, tool: tool.fullname }}
                  className="card tool-card"
                >
                  <strong>{tool.name}</strong>
                  <span className="quiet">{tool.description}</span>
                  <span className="version">{tool.version}</span>
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function grouped(tools: ToolSummary[]): [string, ToolSummary[]][] {
  const groups = new Map<string, ToolSummary[]>();
  for (const tool of tools) {
    const category = tool.categories[0] ?? "";
    groups.set(category, [...(groups.get(category) ?? []), tool]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}
