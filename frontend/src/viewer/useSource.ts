import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useImage } from "../api/queries";
import { type Channel, channelsOf, openSource, type Source } from "./source";

export interface Opened {
  source: Source | undefined;
  channels: Channel[];
  setChannel: (index: number, change: Partial<Channel>) => void;
  error: unknown;
}

/** Open the image of a data, with channels whose looks can be changed. */
export function useSource(did: string | undefined, scene = 0): Opened {
  const info = useImage(did, scene);
  const opened = useQuery({
    queryKey: ["source", did, info.data?.url],
    queryFn: async () => {
      if (!info.data || !did) throw new Error("There is no image.");
      const source = await openSource(scene ? `${did} ${scene}` : did, info.data);
      return { source, channels: source.info.is_labels ? [] : await channelsOf(source) };
    },
    enabled: Boolean(did && info.data),
    staleTime: Number.POSITIVE_INFINITY,
    structuralSharing: false,
    retry: false,
  });
  const [channels, setChannels] = useState<Channel[]>([]);
  useEffect(() => setChannels(opened.data?.channels ?? []), [opened.data]);
  return {
    source: opened.data?.source,
    channels: channels.length === (opened.data?.channels.length ?? 0) ? channels : (opened.data?.channels ?? []),
    setChannel: (index, change) =>
      setChannels((before) => before.map((channel, at) => (at === index ? { ...channel, ...change } : channel))),
    error: info.error ?? opened.error,
  };
}
