/** Dark, light, or as the system says; kept in this browser. */

export type Theme = "auto" | "light" | "dark";
const KEY = "bioimageit-theme";

export function theme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto"; // storage is switched off
  }
}

export function applyTheme(wanted: Theme = theme()): void {
  if (wanted === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // it lasts as long as the page
  }
}
