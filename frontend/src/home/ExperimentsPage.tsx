import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { Button, Form, Input, Label, SearchField, TextField } from "react-aria-components";
import { send } from "../api/client";
import { useExperiments, useFirstItems, useSession } from "../api/queries";
import type { Experiment } from "../api/types";
import { Thumbnail } from "../browse/Thumbnail";
import { Failure, Nothing } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Overlay } from "../ui/Overlay";
import { useSeen } from "../ui/useSeen";

const COVERS = 4; // pictures of an experiment, as many as fit beside each other

export function ExperimentsPage() {
  const experiments = useExperiments();
  const role = useSession().data?.role;
  const [wanted, setWanted] = useState("");
  const [isCreating, setCreating] = useState(false);
  if (experiments.isPending) return <Loading what="Loading experiments" />;
  if (experiments.error) return <Failure title="The workspace cannot be read" error={experiments.error} />;
  const shown = experiments.data.filter((one) =>
    `${one.name} ${one.author}`.toLowerCase().includes(wanted.trim().toLowerCase()),
  );
  return (
    <div className="home">
      <div className="page-head">
        <h1>Experiments</h1>
        <span className="quiet">{experiments.data.length.toLocaleString("en")} in this workspace</span>
        <span className="grow" />
        <SearchField aria-label="Find an experiment" value={wanted} onChange={setWanted} className="field">
          <Input className="input" placeholder="Find by name or author" />
        </SearchField>
        {role === "owner" ? (
          <Button className="button button-primary" onPress={() => setCreating(true)}>
            <Plus size={15} aria-hidden="true" />
            New experiment
          </Button>
        ) : null}
      </div>
      {experiments.data.length === 0 ? (
        <Nothing title="This workspace is empty">
          <p>
            Create an experiment here, or with <code>bioimageit create NAME</code>; <code>bioimageit demo</code> makes
            one with real images.
          </p>
        </Nothing>
      ) : (
        <ul className="cards">
          {shown.map((experiment) => (
            <Card key={experiment.id} experiment={experiment} />
          ))}
        </ul>
      )}
      <NewExperiment isOpen={isCreating} onClose={() => setCreating(false)} />
    </div>
  );
}

function Card({ experiment }: { experiment: Experiment }) {
  const raw = experiment.datasets.find((dataset) => dataset.kind === "raw");
  const processed = experiment.datasets.filter((dataset) => dataset.kind === "processed");
  const card = useRef<HTMLLIElement>(null);
  const isSeen = useSeen(card);
  const first = useFirstItems(experiment.id, raw?.name ?? "", COVERS, isSeen && (raw?.size ?? 0) > 0);
  const covers = first.data?.items.filter((item) => item.thumbnail) ?? [];
  return (
    <li ref={card} className="card experiment-card">
      <Link to="/e/$eid/d/$dataset" params={{ eid: experiment.id, dataset: raw?.name ?? "data" }}>
        <h2>{experiment.name}</h2>
      </Link>
      <p className="quiet">
        {experiment.author || "no author"} · {experiment.date}
      </p>
      <div className="covers" aria-hidden="true">
        {covers.map((item) => (
          <Thumbnail key={item.id} url={item.thumbnail} format={item.format} size={58} />
        ))}
      </div>
      <dl className="facts">
        <div>
          <dt>Raw data</dt>
          <dd>{(raw?.size ?? 0).toLocaleString("en")}</dd>
        </div>
        <div>
          <dt>Processed datasets</dt>
          <dd>{processed.length}</dd>
        </div>
      </dl>
      <p className="chips">
        {experiment.keys.slice(0, 8).map((key) => (
          <span key={key} className="chip">
            {key}
          </span>
        ))}
        {experiment.keys.length > 8 ? <span className="quiet">and {experiment.keys.length - 8} more</span> : null}
      </p>
    </li>
  );
}

function NewExperiment({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const keys = String(given.get("keys") ?? "");
    try {
      const made = await send<Experiment>("POST", "/experiments", {
        name: String(given.get("name")),
        keys: keys
          .split(",")
          .map((key) => key.trim())
          .filter(Boolean),
      });
      await client.invalidateQueries({ queryKey: ["experiments"] });
      onClose();
      await navigate({ to: "/e/$eid/d/$dataset", params: { eid: made.id, dataset: "data" } });
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Overlay title="New experiment" isOpen={isOpen} onClose={onClose}>
      <Form onSubmit={submit} className="stack">
        {error ? <Failure title="Not created" error={error} /> : null}
        <TextField name="name" isRequired autoFocus className="field">
          <Label>Name</Label>
          <Input className="input" />
        </TextField>
        <TextField name="keys" className="field">
          <Label>Annotation keys, separated by commas</Label>
          <Input className="input" placeholder="Condition, Replicate" />
        </TextField>
        <Button type="submit" className="button button-primary">
          Create
        </Button>
      </Form>
    </Overlay>
  );
}
