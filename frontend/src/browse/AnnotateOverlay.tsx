import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { said } from "../api/client";
import { useAnnotate, useExperiment, useUndo } from "../api/queries";
import { Failure } from "../ui/Failure";
import { Overlay } from "../ui/Overlay";
import { Suggest } from "../ui/Suggest";
import { tell } from "../ui/Toasts";
import type { Chosen } from "./Actions";
import { useValues } from "./useValues";

interface Props {
  chosen: Chosen;
  isOpen: boolean;
  onClose: () => void;
}

/** Give one key of all that is chosen a value, or take it away. */
export function AnnotateOverlay({ chosen, isOpen, onClose }: Props) {
  const { eid, dataset, query, items, selection } = chosen;
  const keys = useExperiment(eid).data?.keys ?? [];
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const values = useValues(eid, key);
  const { annotate, error, isBusy } = useAnnotation(eid);
  const isEach = selection.chosen.size > 0;
  const count = isEach ? selection.chosen.size : items.total;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const which = isEach ? { ids: [...selection.chosen.keys()] } : { query };
    const change = value === "" ? { set: {}, unset: [key.trim()] } : { set: { [key.trim()]: value }, unset: [] };
    if (await annotate({ dataset, ...which, ...change })) {
      setValue("");
      onClose();
    }
  };
  return (
    <Overlay title={`Annotate ${count.toLocaleString("en")} data`} isOpen={isOpen} onClose={onClose}>
      <Form onSubmit={submit} className="stack">
        {error ? <Failure title="Not annotated" error={error} /> : null}
        {isEach ? null : (
          <p className="quiet">
            {query ? (
              <>
                All data that match <code>{query}</code>.
              </>
            ) : (
              "All data of the dataset."
            )}
          </p>
        )}
        <Suggest label="Key" value={key} onChange={setKey} options={keys} isRequired autoFocus />
        <Suggest label="Value (empty takes the key away)" value={value} onChange={setValue} options={values} />
        <Button type="submit" className="button button-primary" isDisabled={isBusy || key.trim() === ""}>
          {value === "" ? "Take away" : "Set"}
        </Button>
      </Form>
    </Overlay>
  );
}

/** Annotate, say so, and offer to undo it. */
export function useAnnotation(eid: string) {
  const annotating = useAnnotate(eid);
  const undoing = useUndo(eid);
  const undo = async (change: string) => {
    try {
      await undoing.mutateAsync(change);
      tell({ text: "Undone" });
    } catch (error) {
      tell({ text: `Not undone: ${said(error)}`, isError: true });
    }
  };
  const annotate = async (annotation: Parameters<typeof annotating.mutateAsync>[0]): Promise<boolean> => {
    try {
      const { change, count } = await annotating.mutateAsync(annotation);
      const parts = [
        ...Object.entries(annotation.set).map(([key, value]) => `${key} = ${value}`),
        ...annotation.unset.map((key) => `no ${key}`),
      ];
      tell({
        text: `${parts.join(", ")} on ${count.toLocaleString("en")} data`,
        action: change ? { label: "Undo", run: () => void undo(change) } : undefined,
      });
      return true;
    } catch {
      return false; // shown by whoever asks
    }
  };
  return { annotate, undo, error: annotating.error, isBusy: annotating.isPending };
}
