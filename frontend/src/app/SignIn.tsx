import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Form, Input, Label, TextField } from "react-aria-components";
import { send } from "../api/client";
import { loadSession } from "../api/queries";
import type { Session } from "../api/types";
import { Failure } from "../ui/Failure";

/** Name and password, or the server's token: as the server wants it. */
export function SignIn({ ways }: { ways: Session["sign_in"] }) {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
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
        {hasPassword || ways.includes("token") ? (
          <Button type="submit" className="button button-primary" isDisabled={isBusy}>
            Sign in
          </Button>
        ) : null}
      </Form>
    </main>
  );
}
