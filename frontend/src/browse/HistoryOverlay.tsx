import { Undo2 } from "lucide-react";
import { Button } from "react-aria-components";
import { useHistory } from "../api/queries";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Overlay } from "../ui/Overlay";
import { useAnnotation } from "./AnnotateOverlay";

interface Props {
  eid: string;
  isOpen: boolean;
  onClose: () => void;
  canUndo: boolean;
}

export function HistoryOverlay({ eid, isOpen, onClose, canUndo }: Props) {
  const history = useHistory(eid, isOpen);
  const { undo } = useAnnotation(eid);
  return (
    <Overlay title="History" isOpen={isOpen} onClose={onClose} isWide>
      {history.isPending ? <Loading /> : null}
      {history.error ? <Failure error={history.error} /> : null}
      {history.data?.items.length === 0 ? <p className="quiet">Nothing was changed yet.</p> : null}
      <ol className="history">
        {history.data?.items.map((change) => (
          <li key={change.change} data-undone={change.undone || undefined}>
            <span>{change.summary}</span>
            <span className="quiet">
              {change.author} · {change.date.replace("T", " ").slice(0, 16)} · {change.count.toLocaleString("en")} data
              {change.undone ? " · undone" : ""}
            </span>
            {canUndo && change.can_undo ? (
              <Button className="button button-plain" onPress={() => void undo(change.change)}>
                <Undo2 size={14} aria-hidden="true" />
                Undo
              </Button>
            ) : null}
          </li>
        ))}
      </ol>
    </Overlay>
  );
}
