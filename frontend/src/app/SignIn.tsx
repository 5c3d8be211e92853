import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Form, Input, Label, TextField } from "react-aria-components";
import { send, urlOf } from "../api/client";
import { loadSession } from "../api/queries";
import type { Session } from "../api/types";
import { Failure } from "../ui/Failure";

const REFUSALS: Record<string, string> = {
  failed: "The provider did not say who you are.",
  stale: "That took too long, or began in another window: try again.",
  unknown: "You are known to the provider, but have no role here: ask an owner of this server.",
};

/** Say why somebody who comes back from the provider is not in; the address names one of our own sentences. */
function refusal(): Error | null {
  const reason = new URLSearchParams(location.hash.split("?")[1]).get("refused");
  return reason ? new Error(REFUSALS[reason] ?? REFUSALS.failed) : null;
}

/** Name and password, the server's token, or a provider that knows who one is: as the server wants it. */
export function SignIn({ ways }: { ways: Session["sign_in"] }) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(refusal);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.currentTarget)].filter(([, value]) => value !== ""));
    setBusy(true);
    setError(null);
    try {
      await send("POST", "/session", given);
      await loadSession();
      await client.resetQueries();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const hasPassword = ways.includes("password");
  const hasForm = hasPassword || ways.includes("token");
  return (
    <main className="sign-in">
      <Form onSubmit={submit} className="card sign-in-card">
        <h1>
          <img src="./icon.svg" alt="" width={28} height={28} /> BioImageIT
        </h1>
        {error ? <Failure title="Not signed in" error={error} /> : null}
        {hasPassword ? (
          <>
            <TextField
              name="name"
              isRequired={!ways.includes("token")}
              autoFocus
              autoComplete="username"
              className="field"
            >
              <Label>Name</Label>
              <Input className="input" />
            </TextField>
            <TextField name="password" type="password" autoComplete="current-password" className="field">
              <Label>Password</Label>
              <Input className="input" />
            </TextField>
          </>
        ) : null}
        {ways.includes("token") ? (
          <TextField name="token" type="password" isRequired={!hasPassword} autoComplete="off" className="field">
            <Label>{hasPassword ? "Or the token of this server" : "Token of this server"}</Label>
            <Input className="input" />
          </TextField>
        ) : null}
        {hasForm ? (
          <Button type="submit" className="button button-primary" isDisabled={isBusy}>
            Sign in
          </Button>
        ) : null}
        {ways.includes("provider") ? (
          <a className={hasForm ? "button" : "button button-primary"} href={urlOf("/session/provider")}>
            Sign in with the provider
          </a>
        ) : null}
      </Form>
    </main>
  );
}
