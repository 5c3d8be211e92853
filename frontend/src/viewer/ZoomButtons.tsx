import { Maximize, Minus, Plus } from "lucide-react";
import { Button } from "react-aria-components";

export function ZoomButtons({ onZoom, onFit }: { onZoom: (step: number) => void; onFit: () => void }) {
  return (
    <div className="zoom-buttons">
      <Button className="button button-icon" aria-label="Zoom in" onPress={() => onZoom(0.5)}>
        <Plus size={16} aria-hidden="true" />
      </Button>
      <Button className="button button-icon" aria-label="Zoom out" onPress={() => onZoom(-0.5)}>
        <Minus size={16} aria-hidden="true" />
      </Button>
      <Button className="button button-icon" aria-label="Show all" onPress={onFit}>
        <Maximize size={15} aria-hidden="true" />
      </Button>
    </div>
  );
}
