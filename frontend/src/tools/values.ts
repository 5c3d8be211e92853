/** The values of a tool's form: where they start, and what is wrong with them before the server is asked. */

import type { ConditionalField, Field, ParamField, Validator } from "../api/types";

export type Value = string | boolean | string[] | Values | Values[];
export interface Values {
  [name: string]: Value;
}

export function initial(members: Field[]): Values {
  return Object.fromEntries(members.filter((field) => !isInput(field)).map((field) => [field.name, start(field)]));
}

export const isInput = (field: Field): boolean => field.kind === "param" && field.is_data;

function start(field: Field): Value {
  if (field.kind === "section") return initial(field.members);
  if (field.kind === "repeat") {
    return Array.from({ length: Math.max(field.minimum, field.default) }, () => initial(field.members));
  }
  if (field.kind === "conditional") return startOfCase(field, startOfParam(field.test));
  return startOfParam(field);
}

export function startOfCase(field: ConditionalField, test: Value): Values {
  return { [field.test.name]: test, ...initial(membersFor(field, test)) };
}

function startOfParam(param: ParamField): Value {
  if (param.type === "boolean") return param.default === "true" || param.default === param.true_value;
  if (param.type === "select" || param.options.length > 0) {
    const chosen = param.options.filter((option) => option.is_selected).map((option) => option.value);
    const fallback = param.default ?? (param.optional ? "" : (param.options[0]?.value ?? ""));
    return param.multiple ? chosen : (chosen[0] ?? fallback);
  }
  return param.default ?? "";
}

/** The fields that a conditional has where its test has a value. */
export function membersFor(field: ConditionalField, test: Value): Field[] {
  const said =
    typeof test === "boolean" ? [test ? field.test.true_value : field.test.false_value, String(test)] : [String(test)];
  return field.cases.find((one) => said.includes(one.value))?.members ?? [];
}

/** Give the values under their flat names (`cond|x`, `rep_0|y`), as jobs take them. */
export function flattened(members: Field[], values: Values, prefix = ""): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const field of members) {
    const name = `${prefix}${field.name}`;
    const value = values[field.name];
    if (field.kind === "param") {
      if (!field.is_data && value !== undefined && !(value === "" && field.optional)) flat[name] = value;
    } else if (field.kind === "repeat") {
      (value as Values[]).forEach((one, index) => {
        Object.assign(flat, flattened(field.members, one, `${name}_${index}|`));
      });
    } else if (field.kind === "section") {
      Object.assign(flat, flattened(field.members, value as Values, `${name}|`));
    } else {
      const inner = value as Values;
      const test = inner[field.test.name] ?? "";
      flat[`${name}|${field.test.name}`] = test;
      Object.assign(flat, flattened(membersFor(field, test), inner, `${name}|`));
    }
  }
  return flat;
}

/** The inputs that a tool's form has with these values, under their flat names. */
export function inputsOf(members: Field[], values: Values, prefix = ""): { name: string; param: ParamField }[] {
  return members.flatMap((field) => {
    const name = `${prefix}${field.name}`;
    if (field.kind === "param") return field.is_data ? [{ name, param: field }] : [];
    const value = values[field.name];
    if (field.kind === "section") return inputsOf(field.members, value as Values, `${name}|`);
    if (field.kind === "repeat") {
      return (value as Values[]).flatMap((one, index) => inputsOf(field.members, one, `${name}_${index}|`));
    }
    const inner = value as Values;
    return inputsOf(membersFor(field, inner[field.test.name] ?? ""), inner, `${name}|`);
  });
}

/** Say what is wrong with a value, or nothing. The server has the last word: some validators only it can run. */
export function mistake(param: ParamField, value: Value | undefined): string | null {
  const text = Array.isArray(value) ? value.join(",") : String(value ?? "");
  if (text === "")
    return param.optional || param.type === "boolean" || param.type === "text"
      ? checked(param, text)
      : "A value is needed.";
  if (param.type === "integer" && !/^[+-]?\d+$/.test(text)) return "A whole number is needed.";
  if (param.type === "float" && !Number.isFinite(Number(text))) return "A number is needed.";
  if (param.type === "integer" || param.type === "float") {
    if (param.minimum !== "" && Number(text) < Number(param.minimum)) return `At least ${param.minimum} is needed.`;
    if (param.maximum !== "" && Number(text) > Number(param.maximum)) return `At most ${param.maximum} is allowed.`;
  }
  return checked(param, text);
}

function checked(param: ParamField, text: string): string | null {
  if (param.optional && text === "") return null;
  for (const validator of param.validators) {
    const isContent = CHECKS[validator.type]?.(validator, text);
    if (isContent !== undefined && isContent === validator.negate) {
      return validator.message.replace("%s", text) || `This value does not pass the tool's check (${validator.type}).`;
    }
  }
  return null;
}

const CHECKS: Record<string, (validator: Validator, text: string) => boolean | undefined> = {
  in_range: ({ options }, text) => isWithin(Number(text), options),
  length: ({ options }, text) => isWithin(text.length, options),
  empty_field: (_, text) => text.trim() !== "",
  no_options: (_, text) => text !== "",
  regex: ({ options, text: pattern }, text) => {
    try {
      return new RegExp(`^(?:${options.expression ?? pattern})`).test(text);
    } catch {
      return undefined; // Python's expressions know more
    }
  },
};

function isWithin(value: number, options: Record<string, string>): boolean {
  const low = options.min ? Number(options.min) : Number.NEGATIVE_INFINITY;
  const high = options.max ? Number(options.max) : Number.POSITIVE_INFINITY;
  const above = options.exclude_min === "true" ? value > low : value >= low;
  return above && (options.exclude_max === "true" ? value < high : value <= high);
}

/** Whether any field that is shown has a mistake. */
export function hasMistake(members: Field[], values: Values): boolean {
  return members.some((field) => {
    if (isInput(field)) return false;
    const value = values[field.name];
    if (field.kind === "param") return !field.unsupported && mistake(field, value) !== null;
    if (field.kind === "section") return hasMistake(field.members, value as Values);
    if (field.kind === "repeat") return (value as Values[]).some((one) => hasMistake(field.members, one));
    const inner = value as Values;
    const test = inner[field.test.name] ?? "";
    return mistake(field.test, test) !== null || hasMistake(membersFor(field, test), inner);
  });
}
