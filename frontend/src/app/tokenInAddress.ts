/** The address that `bioimageit serve --token auto` tells has the token behind the `#`: taken out before anything reads it. */

import { send } from "../api/client";
import { loadSession } from "../api/queries";

const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
if (token) history.replaceState(null, "", `${location.pathname}#/`);

/** Sign in with the token of the address; where it does not fit, the page asks as always. */
export async function signInByAddress(): Promise<void> {
  if (!token) return;
  try {
    const session = await loadSession();
    if (!session.role) await send("POST", "/session", { token });
  } catch {
    // the form says what is wrong
  }
}
