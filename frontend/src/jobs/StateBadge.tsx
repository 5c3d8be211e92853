import { Ban, CircleCheck, CircleDashed, CircleX, LoaderCircle, SkipForward } from "lucide-react";
import type { ItemState } from "../api/types";

const ICONS = {
  waiting: CircleDashed,
  running: LoaderCircle,
  done: CircleCheck,
  failed: CircleX,
  skipped: SkipForward,
  cancelled: Ban,
};

export function StateBadge({ state }: { state: ItemState }) {
  const Icon = ICONS[state] ?? CircleDashed;
  return (
    <span className={`state state-${state}`}>
      <Icon size={14} aria-hidden="true" />
      {state}
    </span>
  );
}
