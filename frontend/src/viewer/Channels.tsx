import { Eye, EyeOff } from "lucide-react";
import { Label, Slider, SliderOutput, SliderThumb, SliderTrack, ToggleButton } from "react-aria-components";
import { type Channel, colorOf, hexOf } from "./source";
import type { Opened } from "./useSource";

/** Which channels are shown, in which colour, between which limits. */
export function Channels({ title, opened }: { title: string; opened: Opened }) {
  if (opened.channels.length === 0) return null;
  return (
    <section className="panel">
      <h3>{title}</h3>
      {opened.channels.map((channel, index) => (
        <One key={index} channel={channel} onChange={(change) => opened.setChannel(index, change)} />
      ))}
    </section>
  );
}

function One({ channel, onChange }: { channel: Channel; onChange: (change: Partial<Channel>) => void }) {
  const [low, high] = channel.domain;
  const step = Number.isInteger(low) && Number.isInteger(high) && high - low > 20 ? 1 : (high - low) / 500;
  return (
    <div className="channel">
      <ToggleButton
        className="button button-icon"
        aria-label={`Show ${channel.name}`}
        isSelected={channel.isVisible}
        onChange={(isVisible) => onChange({ isVisible })}
      >
        {channel.isVisible ? <Eye size={15} aria-hidden="true" /> : <EyeOff size={15} aria-hidden="true" />}
      </ToggleButton>
      <input
        type="color"
        aria-label={`Colour of ${channel.name}`}
        value={hexOf(channel.color)}
        onChange={(event) => onChange({ color: colorOf(event.target.value) ?? channel.color })}
      />
      <Slider
        className="slider channel-slider"
        value={channel.limits}
        minValue={low}
        maxValue={high}
        step={step}
        onChange={(limits) => onChange({ limits: limits as [number, number] })}
      >
        <Label>{channel.name}</Label>
        <SliderOutput>{channel.limits.map((limit) => Number(limit.toPrecision(4))).join(" – ")}</SliderOutput>
        <SliderTrack className="slider-track">
          <SliderThumb index={0} className="slider-thumb" aria-label={`Lowest of ${channel.name}`} />
          <SliderThumb index={1} className="slider-thumb" aria-label={`Highest of ${channel.name}`} />
        </SliderTrack>
      </Slider>
    </div>
  );
}
