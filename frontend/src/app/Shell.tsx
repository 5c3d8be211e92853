import { Link, Outlet, useMatches, useParams, useRouterState } from "@tanstack/react-router";
import { Menu as MenuIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { useData, useExperiment, useSession } from "../api/queries";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { JobsButton } from "./JobsButton";
import { Sidebar } from "./Sidebar";
import { SignIn } from "./SignIn";
import { ThemeButton } from "./ThemeButton";
import { UserMenu } from "./UserMenu";

/** What stays where it is: the bar at the top, the datasets at the left, and the page that was asked for. */
export function Shell() {
  const session = useSession();
  if (session.isPending) return <Loading />;
  if (session.error) return <Failure title="The server does not answer" error={session.error} />;
  if (!session.data.role) return <SignIn ways={session.data.sign_in} />;
  return <Page />;
}

function Page() {
  const [isOpen, setOpen] = useState(false);
  const place = useRouterState({ select: (state) => state.location.href });
  const eid = useExperimentId();
  const isViewer = useMatches({ select: (matches) => matches.some((match) => match.routeId === "/view/$did") });
  useEffect(() => {
    if (place) setOpen(false); // a drawer has done its work when one has gone somewhere
  }, [place]);
  const hasSidebar = eid !== undefined && !isViewer;
  return (
    <div
      className={hasSidebar ? "shell" : "shell shell-wide"}
      data-drawer={isOpen ? "open" : undefined}
      onKeyDown={(event) => event.key === "Escape" && setOpen(false)}
    >
      <a className="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header className="bar">
        {hasSidebar ? (
          <Button
            className="button button-icon drawer-button"
            aria-label="Datasets"
            aria-expanded={isOpen}
            onPress={() => setOpen(!isOpen)}
          >
            <MenuIcon size={18} aria-hidden="true" />
          </Button>
        ) : null}
        <Link to="/" className="brand" aria-label="BioImageIT">
          <img src="./icon.svg" alt="" width={22} height={22} />
          <span>BioImageIT</span>
        </Link>
        <Crumbs eid={eid} />
        <span className="grow" />
        <JobsButton />
        <ThemeButton />
        <UserMenu />
      </header>
      {hasSidebar ? <Sidebar eid={eid} /> : null}
      {isOpen ? <button type="button" className="scrim" aria-label="Close" onClick={() => setOpen(false)} /> : null}
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

function skip(event: React.MouseEvent): void {
  event.preventDefault(); // the address after the # is the router's
  document.getElementById("main")?.focus();
}

/** Which experiment is looked at: said by the address, or by the data that the address names. */
function useExperimentId(): string | undefined {
  const { eid, did } = useParams({ strict: false }) as { eid?: string; did?: string };
  const data = useData(eid ? undefined : did);
  return eid ?? data.data?.experiment ?? undefined;
}

function Crumbs({ eid }: { eid: string | undefined }) {
  const { dataset, did } = useParams({ strict: false }) as { dataset?: string; did?: string };
  const experiment = useExperimentIf(eid);
  const data = useData(did);
  const name = dataset ?? data.data?.dataset;
  if (!eid || !experiment) return null;
  return (
    <nav aria-label="Where" className="crumbs">
      <ol>
        <li>
          <Link to="/e/$eid/d/$dataset" params={{ eid, dataset: "data" }}>
            {experiment.name}
          </Link>
        </li>
        {name ? (
          <li>
            <Link to="/e/$eid/d/$dataset" params={{ eid, dataset: name }}>
              {name}
            </Link>
          </li>
        ) : null}
        {data.data ? <li aria-current="page">{data.data.name}</li> : null}
      </ol>
    </nav>
  );
}

function useExperimentIf(eid: string | undefined) {
  return useExperiment(eid ?? "").data;
}
