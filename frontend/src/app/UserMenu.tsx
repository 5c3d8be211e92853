import { useQueryClient } from "@tanstack/react-query";
import { CircleUserRound } from "lucide-react";
import { Button, Header, Menu, MenuItem, MenuTrigger, Popover, Section } from "react-aria-components";
import { send } from "../api/client";
import { useSession } from "../api/queries";

export function UserMenu() {
  const session = useSession().data;
  const client = useQueryClient();
  if (!session) return null;
  const signOut = async () => {
    await send("DELETE", "/session");
    client.clear();
    location.reload();
  };
  const services = Object.entries(session.services ?? {});
  return (
    <MenuTrigger>
      <Button className="button button-plain user" aria-label={`${session.user ?? "You"}, ${session.role}`}>
        <CircleUserRound size={17} aria-hidden="true" />
        <span className="wide-only">{session.user ?? "local"}</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="options" onAction={() => void signOut()}>
          <Section>
            <Header className="menu-head">
              <strong>{session.user ?? "local"}</strong> · {session.role}
              <br />
              version {session.version}
              {services.map(([kind, name]) => (
                <span key={kind}>
                  <br />
                  {kind}: {name}
                </span>
              ))}
            </Header>
            <MenuItem id="out" className="option">
              Sign out
            </MenuItem>
          </Section>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
