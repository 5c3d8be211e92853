import { Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { Button } from "react-aria-components";
import { applyTheme, type Theme, theme } from "./theme";

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const ICON = { auto: Monitor, light: Sun, dark: Moon };

export function ThemeButton() {
  const [current, setCurrent] = useState<Theme>(theme());
  const Icon = ICON[current];
  return (
    <Button
      className="button button-icon"
      aria-label={`Colours: ${current === "auto" ? "as the system" : current}`}
      onPress={() => {
        applyTheme(NEXT[current]);
        setCurrent(NEXT[current]);
      }}
    >
      <Icon size={17} aria-hidden="true" />
    </Button>
  );
}
