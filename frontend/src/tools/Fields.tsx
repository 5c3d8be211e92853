import { Plus, Trash2 } from "lucide-react";
import { Button } from "react-aria-components";
import type { ConditionalField, Field, RepeatField } from "../api/types";
import { ParamInput } from "./ParamInput";
import { initial, isInput, membersFor, startOfCase, type Value, type Values } from "./values";

interface Props {
  members: Field[];
  values: Values;
  onChange: (values: Values) => void;
}

/** The parameters of a tool, in the wrapper's order. Inputs are asked for elsewhere. */
export function Fields({ members, values, onChange }: Props) {
  const set = (name: string) => (value: Value) => onChange({ ...values, [name]: value });
  return (
    <>
      {members
        .filter((field) => !isInput(field))
        .map((field) => {
          const value = values[field.name];
          if (field.kind === "param")
            return <ParamInput key={field.name} param={field} value={value} onChange={set(field.name)} />;
          if (field.kind === "conditional") {
            return <Conditional key={field.name} field={field} value={value as Values} onChange={set(field.name)} />;
          }
          if (field.kind === "repeat") {
            return <Repeat key={field.name} field={field} value={value as Values[]} onChange={set(field.name)} />;
          }
          return (
            <fieldset key={field.name} className="fieldset">
              <legend>{field.label || field.name}</legend>
              <Fields members={field.members} values={value as Values} onChange={set(field.name)} />
            </fieldset>
          );
        })}
    </>
  );
}

function Conditional({
  field,
  value,
  onChange,
}: {
  field: ConditionalField;
  value: Values;
  onChange: (value: Values) => void;
}) {
  const test = value[field.test.name] ?? "";
  const members = membersFor(field, test).filter((member) => !isInput(member));
  return (
    <div className="conditional">
      <ParamInput param={field.test} value={test} onChange={(next) => onChange(startOfCase(field, next))} />
      {members.length ? (
        <div className="case">
          <Fields members={members} values={value} onChange={onChange} />
        </div>
      ) : null}
    </div>
  );
}

function Repeat({
  field,
  value,
  onChange,
}: {
  field: RepeatField;
  value: Values[];
  onChange: (value: Values[]) => void;
}) {
  const title = field.label || field.name;
  return (
    <fieldset className="fieldset">
      <legend>{title}</legend>
      {value.map((one, index) => (
        <div className="case repeat" key={index}>
          <div className="grow">
            <Fields
              members={field.members}
              values={one}
              onChange={(next) => onChange(value.map((old, at) => (at === index ? next : old)))}
            />
          </div>
          <Button
            className="button button-icon"
            aria-label={`Remove ${title} ${index + 1}`}
            isDisabled={value.length <= field.minimum}
            onPress={() => onChange(value.filter((_, at) => at !== index))}
          >
            <Trash2 size={15} aria-hidden="true" />
          </Button>
        </div>
      ))}
      <Button
        className="button button-plain"
        isDisabled={field.maximum !== null && value.length >= field.maximum}
        onPress={() => onChange([...value, initial(field.members)])}
      >
        <Plus size={14} aria-hidden="true" />
        Add {title}
      </Button>
    </fieldset>
  );
}
