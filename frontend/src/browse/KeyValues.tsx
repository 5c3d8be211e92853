import { Check, Plus } from "lucide-react";
import { useState } from "react";
import { Button } from "react-aria-components";
import { Failure } from "../ui/Failure";
import { Suggest } from "../ui/Suggest";
import { useAnnotation } from "./AnnotateOverlay";
import { useValues } from "./useValues";

interface Props {
  eid: string;
  dataset: string;
  which: { ids: string[] } | { query: string };
  /** null where the data differ. */
  values: Record<string, string | null>;
  keys: string[];
  canEdit: boolean;
}

/** The key-values of what is selected; a click edits one. */
export function KeyValues({ eid, dataset, which, values, keys, canEdit }: Props) {
  const [editing, setEditing] = useState<string | null>(null);
  const { annotate, error, isBusy } = useAnnotation(eid);
  const shown = [...new Set([...keys, ...Object.keys(values)])];
  const save = async (key: string, value: string) => {
    const name = key.trim();
    if (!name) return;
    const change = value === "" ? { set: {}, unset: [name] } : { set: { [name]: value }, unset: [] };
    if (await annotate({ dataset, ...which, ...change })) setEditing(null);
  };
  return (
    <section className="panel">
      <h3>Annotations</h3>
      {error ? <Failure title="Not annotated" error={error} /> : null}
      <dl className="pairs">
        {shown.map((key) =>
          editing === key ? (
            <Edit
              key={key}
              eid={eid}
              name={key}
              value={values[key] ?? ""}
              isBusy={isBusy}
              onSave={save}
              onCancel={() => setEditing(null)}
            />
          ) : (
            <div key={key}>
              <dt>{key}</dt>
              <dd>
                {canEdit ? (
                  <button type="button" className="value" onClick={() => setEditing(key)}>
                    <span className="hidden">Edit {key}: </span>
                    {shownValue(values[key])}
                  </button>
                ) : (
                  shownValue(values[key])
                )}
              </dd>
            </div>
          ),
        )}
      </dl>
      {canEdit && editing === "" ? (
        <New eid={eid} keys={keys} isBusy={isBusy} onSave={save} onCancel={() => setEditing(null)} />
      ) : canEdit ? (
        <Button className="button button-plain" onPress={() => setEditing("")}>
          <Plus size={14} aria-hidden="true" />
          Add an annotation
        </Button>
      ) : null}
    </section>
  );
}

function shownValue(value: string | null | undefined) {
  if (value === null) return <em className="quiet">several values</em>;
  return value ? value : <span className="quiet">–</span>;
}

interface EditProps {
  eid: string;
  name: string;
  value: string;
  isBusy: boolean;
  onSave: (key: string, value: string) => void;
  onCancel: () => void;
}

function Edit({ eid, name, value, isBusy, onSave, onCancel }: EditProps) {
  const [text, setText] = useState(value);
  const values = useValues(eid, name);
  return (
    <div onKeyDown={(event) => event.key === "Escape" && onCancel()}>
      <dt>{name}</dt>
      <dd className="edit">
        <Suggest
          label={`Value of ${name}`}
          isLabelHidden
          value={text}
          onChange={setText}
          options={values}
          autoFocus
          onCommit={() => onSave(name, text)}
        />
        <Button className="button button-icon" aria-label="Save" isDisabled={isBusy} onPress={() => onSave(name, text)}>
          <Check size={15} aria-hidden="true" />
        </Button>
      </dd>
    </div>
  );
}

function New({ eid, keys, isBusy, onSave, onCancel }: Omit<EditProps, "name" | "value"> & { keys: string[] }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const values = useValues(eid, key);
  return (
    <div className="stack" onKeyDown={(event) => event.key === "Escape" && onCancel()}>
      <Suggest label="Key" value={key} onChange={setKey} options={keys} autoFocus />
      <Suggest label="Value" value={value} onChange={setValue} options={values} onCommit={() => onSave(key, value)} />
      <Button className="button" isDisabled={isBusy || !key.trim() || !value} onPress={() => onSave(key, value)}>
        Save
      </Button>
    </div>
  );
}
