import { useNavigate } from "@tanstack/react-router";
import { ListChecks, Play } from "lucide-react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button, FieldError, Form, Input, Label, Text, TextField } from "react-aria-components";
import { planJob, startJob, useExperiment, useFirstItems, useTool } from "../api/queries";
import type { JobInput, JobRequest, Plan, Tool } from "../api/types";
import { QueryField } from "../browse/QueryField";
import { Choice } from "../ui/Choice";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Fields } from "./Fields";
import { PlanView } from "./PlanView";
import { flattened, hasMistake, initial, inputsOf, type Values } from "./values";

interface Props {
  eid: string;
  fullname: string;
  dataset: string;
  query: string;
  output: string;
}

export function ToolForm(props: Props) {
  const tool = useTool(props.fullname);
  if (tool.isPending) return <Loading what="Reading the wrapper" />;
  if (tool.error) return <Failure title="This tool cannot be used" error={tool.error} />;
  return <Filled {...props} tool={tool.data} />;
}

function Filled({ eid, tool, dataset, query, output }: Props & { tool: Tool }) {
  const navigate = useNavigate();
  const [values, setValues] = useState<Values>(() => initial(tool.members));
  const [inputs, setInputs] = useState<Record<string, JobInput>>({});
  const [name, setName] = useState(tool.id.replace(/[^\w-]+/g, "_"));
  const [plan, setPlan] = useState<Plan | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const wanted = inputsOf(tool.members, values);
  const given = Object.fromEntries(
    wanted.map((input) => [input.name, inputs[input.name] ?? { dataset, query, output }]),
  );
  const job = (): JobRequest => ({
    tool: tool.fullname,
    inputs: given,
    parameters: flattened(tool.members, values),
    output: name,
    dry_run: false,
  });
  const isWrong = hasMistake(tool.members, values) || name.trim() === "";
  const attempt = async (act: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const outcome = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void outcome.current?.scrollIntoView({ block: "nearest" }); // it stands below a long form
  }, [error, plan]);
  const check = () => attempt(async () => setPlan(await planJob(eid, job())));
  const run = (event: FormEvent) => {
    event.preventDefault();
    if (isWrong) return;
    void attempt(async () => {
      const { id } = await startJob(eid, job());
      await navigate({ to: "/jobs/$id", params: { id } });
    });
  };
  const change = (next: Values) => {
    setValues(next);
    setPlan(null);
  };
  return (
    <Form onSubmit={run} className="tool-form">
      <header>
        <h1>{tool.name}</h1>
        <p className="quiet">
          {tool.description} <span className="version">· version {tool.version}</span>
        </p>
      </header>
      <fieldset className="fieldset">
        <legend>Inputs</legend>
        {wanted.map((input) => (
          <InputField
            key={input.name}
            eid={eid}
            label={input.param.label || input.param.name}
            help={[input.param.help, input.param.formats.length ? `Takes ${input.param.formats.join(", ")}.` : ""]
              .filter(Boolean)
              .join(" ")}
            value={given[input.name] ?? { dataset, query, output }}
            onChange={(value) => {
              setInputs({ ...inputs, [input.name]: value });
              setPlan(null);
            }}
          />
        ))}
      </fieldset>
      <fieldset className="fieldset">
        <legend>Parameters</legend>
        <Fields members={tool.members} values={values} onChange={change} />
      </fieldset>
      <TextField
        className="field"
        value={name}
        onChange={setName}
        isRequired
        isInvalid={name.trim() === ""}
        validationBehavior="aria"
      >
        <Label>Name of the output dataset</Label>
        <Input className="input" />
        <FieldError className="field-error">A name is needed.</FieldError>
        <Text slot="description" className="help">
          What it already holds and would come out the same is not made again.
        </Text>
      </TextField>
      {error || plan ? (
        <div className="outcome" ref={outcome}>
          {error ? <Failure title="The job cannot run" error={error} /> : null}
          {plan ? <PlanView plan={plan} /> : null}
        </div>
      ) : null}
      <div className="form-foot">
        <Button className="button" isDisabled={isBusy || isWrong} onPress={() => void check()}>
          <ListChecks size={15} aria-hidden="true" />
          What would be done
        </Button>
        <Button type="submit" className="button button-primary" isDisabled={isBusy || isWrong}>
          <Play size={15} aria-hidden="true" />
          Run
        </Button>
      </div>
      {tool.help ? (
        <details className="panel tool-help">
          <summary>
            <h2>Help</h2>
          </summary>
          <pre>{tool.help.trim()}</pre>
        </details>
      ) : null}
    </Form>
  );
}

interface InputProps {
  eid: string;
  label: string;
  help: string;
  value: JobInput;
  onChange: (value: JobInput) => void;
}

/** Which data an input takes: a dataset, and a query on it. */
function InputField({ eid, label, help, value, onChange }: InputProps) {
  const datasets = useExperiment(eid).data?.datasets ?? [];
  const isProcessed = datasets.some((one) => one.name === value.dataset && one.kind === "processed");
  const first = useFirstItems(eid, value.dataset, 50, isProcessed).data?.items ?? [];
  const labels = new Map(first.flatMap(({ output }) => (output ? [[output.name, output.label || output.name]] : [])));
  const outputs = isProcessed ? [...labels].map(([name, label]) => ({ value: name, label })) : [];
  return (
    <div className="input-field" role="group" aria-label={label}>
      <Choice
        label={label}
        options={datasets.map((one) => ({ value: one.name, label: `${one.name} (${one.size.toLocaleString("en")})` }))}
        value={value.dataset}
        onChange={(dataset) => onChange({ dataset, query: "", output: "" })}
      />
      {outputs.length > 1 || value.output ? (
        <Choice
          label="Output of the tool that made them"
          options={[{ value: "", label: "All outputs" }, ...outputs]}
          value={value.output}
          onChange={(output) => onChange({ ...value, output })}
        />
      ) : null}
      <QueryField
        eid={eid}
        dataset={value.dataset}
        query={value.query}
        onQuery={(query) => onChange({ ...value, query })}
        error={null}
      />
      {help ? <span className="help">{help}</span> : null}
    </div>
  );
}
