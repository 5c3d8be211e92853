import { Checkbox, CheckboxGroup, FieldError, Input, Label, Switch, Text, TextField } from "react-aria-components";
import type { ParamField } from "../api/types";
import { Choice } from "../ui/Choice";
import { mistake, type Value } from "./values";

interface Props {
  param: ParamField;
  value: Value | undefined;
  onChange: (value: Value) => void;
}

/** One parameter, as its type wants it. */
export function ParamInput({ param, value, onChange }: Props) {
  const label = param.label || param.name;
  if (param.type === "hidden") return null;
  if (param.unsupported) {
    return (
      <p className="quiet">
        {label}: {param.unsupported}
      </p>
    );
  }
  if (param.type === "boolean") {
    return (
      <div className="field">
        <Switch className="switch" isSelected={value === true} onChange={onChange}>
          <span className="switch-track" aria-hidden="true" />
          {label}
        </Switch>
        {param.help ? <span className="help">{param.help}</span> : null}
      </div>
    );
  }
  if (param.options.length > 0 && param.multiple) {
    return (
      <CheckboxGroup className="field" value={Array.isArray(value) ? (value as string[]) : []} onChange={onChange}>
        <Label>{label}</Label>
        {param.options.map((option) => (
          <Checkbox key={option.value} value={option.value} className="checkbox">
            <span className="checkbox-box" aria-hidden="true" />
            {option.label || option.value}
          </Checkbox>
        ))}
        {param.help ? (
          <Text slot="description" className="help">
            {param.help}
          </Text>
        ) : null}
      </CheckboxGroup>
    );
  }
  if (param.options.length > 0) {
    const options = [...(param.optional ? [{ value: "", label: "none" }] : []), ...param.options];
    return (
      <div className="field">
        <Choice
          label={label}
          options={options.map((option) => ({ value: option.value, label: option.label || option.value }))}
          value={String(value ?? "")}
          onChange={onChange}
        />
        {param.help ? <span className="help">{param.help}</span> : null}
      </div>
    );
  }
  const wrong = mistake(param, value);
  const isNumber = param.type === "integer" || param.type === "float";
  return (
    <TextField
      className="field"
      value={String(value ?? "")}
      onChange={onChange}
      isInvalid={wrong !== null}
      validationBehavior="aria"
    >
      <Label>{label}</Label>
      <Input
        className={isNumber ? "input input-number" : "input"}
        inputMode={isNumber ? (param.type === "integer" ? "numeric" : "decimal") : undefined}
      />
      <FieldError className="field-error">{wrong}</FieldError>
      {param.help || rangeOf(param) ? (
        <Text slot="description" className="help">
          {[param.help, rangeOf(param)].filter(Boolean).join(" ")}
        </Text>
      ) : null}
    </TextField>
  );
}

function rangeOf({ minimum, maximum }: ParamField): string {
  if (minimum !== "" && maximum !== "") return `From ${minimum} to ${maximum}.`;
  if (minimum !== "") return `At least ${minimum}.`;
  return maximum === "" ? "" : `At most ${maximum}.`;
}
