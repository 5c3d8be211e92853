import { Search, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { get, Problem, path, said } from "../api/client";
import type { Completion } from "../api/types";

interface Props {
  eid: string;
  dataset: string;
  query: string;
  onQuery: (query: string) => void;
  error: unknown;
}

/** The query language, with completion of what can stand at the cursor and mistakes marked where they are. */
export function QueryField({ eid, dataset, query, onQuery, error }: Props) {
  const [text, setText] = useState(query);
  const [position, setPosition] = useState(query.length);
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const offers = useCompletions(eid, dataset, text, position, isOpen);
  useEffect(() => setText(query), [query]);

  const take = (offer: Completion) => {
    const next = text.slice(0, offer.start) + offer.insert + text.slice(offer.end);
    const cursor = offer.start + offer.insert.length;
    // at once: a cursor that is set a frame later would jump under what is typed meanwhile
    flushSync(() => {
      setText(next);
      setPosition(cursor);
      setChosen(-1);
    });
    input.current?.setSelectionRange(cursor, cursor);
  };
  const search = (wanted: string) => {
    setOpen(false);
    setChosen(-1);
    onQuery(wanted.trim());
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    const offer = offers[chosen];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (offers.length) setChosen((chosen + step + offers.length + (chosen < 0 && step < 0 ? 1 : 0)) % offers.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && isOpen && offer) take(offer);
    else if (event.key === "Enter") search(text);
    else if (event.key === "Escape" && isOpen) setOpen(false);
    else return;
    event.preventDefault();
  };
  const place = error instanceof Problem && query === text ? error.place : null;
  const isListed = isOpen && offers.length > 0;
  return (
    <search className="query">
      <div className="query-box" data-invalid={error ? true : undefined}>
        <Search size={15} aria-hidden="true" />
        <div className="query-text">
          <div className="query-marks" aria-hidden="true">
            {place ? (
              <>
                {text.slice(0, place.start)}
                <mark>{text.slice(place.start, Math.max(place.end, place.start + 1)) || " "}</mark>
              </>
            ) : null}
          </div>
          <input
            ref={input}
            role="combobox"
            aria-label="Query"
            aria-expanded={isListed}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={isListed && chosen >= 0 ? `${id}-${chosen}` : undefined}
            aria-invalid={error ? true : undefined}
            aria-errormessage={error ? `${id}-error` : undefined}
            placeholder="Search: Condition=A AND Day>=3"
            spellCheck={false}
            autoComplete="off"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setPosition(event.target.selectionStart ?? event.target.value.length);
              setOpen(true);
              setChosen(-1);
            }}
            onSelect={(event) => setPosition(event.currentTarget.selectionStart ?? 0)}
            onFocus={() => setOpen(true)}
            onBlur={() => setOpen(false)}
            onKeyDown={onKeyDown}
          />
        </div>
        {text ? (
          <button type="button" className="button button-icon" aria-label="Clear the query" onClick={() => search("")}>
            <X size={14} aria-hidden="true" />
          </button>
        ) : null}
      </div>
      <div
        id={`${id}-list`}
        role="listbox"
        aria-label="Completions"
        className="options popover query-offers"
        hidden={!isListed}
      >
        {offers.map((offer, index) => (
          <div
            key={`${offer.kind} ${offer.label}`}
            id={`${id}-${index}`}
            role="option"
            className="option"
            aria-selected={index === chosen}
            data-focused={index === chosen || undefined}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(offer)}
          >
            <span>{offer.label}</span>
            <span className="quiet">{offer.kind}</span>
          </div>
        ))}
      </div>
      {error ? (
        <p id={`${id}-error`} className="query-error" role="alert">
          {said(error)}
        </p>
      ) : null}
    </search>
  );
}

function useCompletions(eid: string, dataset: string, text: string, position: number, isOpen: boolean): Completion[] {
  const [offers, setOffers] = useState<Completion[]>([]);
  useEffect(() => {
    if (!isOpen) return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      get<Completion[] | { items: Completion[] }>(
        path`/experiments/${eid}/complete`,
        { dataset, text, position },
        stop.signal,
      )
        .then((found) => setOffers(Array.isArray(found) ? found : found.items))
        .catch(() => setOffers([])); // one can search without being helped
    }, 80);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [eid, dataset, text, position, isOpen]);
  return offers;
}
