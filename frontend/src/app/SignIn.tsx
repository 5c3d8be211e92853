import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Form, Input, Label, TextField } from "react-aria-components";
import { send } from "../api/client";
import { loadSession } from "../api/queries";
import { Failure } from "../ui/Failure";

export function SignIn() {
  const client = useQueryClient();
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      await send("POST", "/session", { name: given.get("name"), password: given.get("password") });
      await loadSession();
      await client.resetQueries();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="sign-in">
      <Form onSubmit={submit} className="card sign-in-card">
        <h1>
          <img src="./icon.svg" alt="" width={28} height={28} /> BioImageIT
        </h1>
        {error ? <Failure title="Not signed in" error={error} /> : null}
        <TextField name="name" isRequired autoFocus autoComplete="username" className="field">
          <Label>Name</Label>
          <Input className="input" />
        </TextField>
        <TextField name="password" type="password" isRequired autoComplete="current-password" className="field">
          <Label>Password</Label>
          <Input className="input" />
        </TextField>
        <Button type="submit" className="button button-primary" isDisabled={isBusy}>
          Sign in
        </Button>
      </Form>
    </main>
  );
}
