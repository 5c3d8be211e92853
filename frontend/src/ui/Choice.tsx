import { Check, ChevronDown } from "lucide-react";
import { Button, Label, ListBox, ListBoxItem, Popover, Select, SelectValue } from "react-aria-components";

export interface Option {
  value: string;
  label: string;
}

interface Props {
  label: string;
  options: Option[];
  value: string;
  onChange: (value: string) => void;
  isLabelHidden?: boolean;
  className?: string;
}

/** One of a few. */
export function Choice({ label, options, value, onChange, isLabelHidden = false, className = "" }: Props) {
  return (
    <Select
      className={`field ${className}`}
      aria-label={isLabelHidden ? label : undefined}
      value={value}
      onChange={(key) => onChange(String(key))}
    >
      {isLabelHidden ? null : <Label>{label}</Label>}
      <Button className="input choice">
        <SelectValue />
        <ChevronDown size={14} aria-hidden="true" />
      </Button>
      <Popover className="popover">
        <ListBox className="options" items={options.map((option) => ({ id: option.value, ...option }))}>
          {(option) => (
            <ListBoxItem className="option" textValue={option.label}>
              {({ isSelected }) => (
                <>
                  <span>{option.label || "none"}</span>
                  {isSelected ? <Check size={14} aria-hidden="true" /> : null}
                </>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}
