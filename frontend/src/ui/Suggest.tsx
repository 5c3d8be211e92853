import { ComboBox, Input, Label, ListBox, ListBoxItem, Popover } from "react-aria-components";

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: string[];
  isRequired?: boolean;
  autoFocus?: boolean;
  isLabelHidden?: boolean;
  onCommit?: () => void;
}

/** A text of which some are known. */
export function Suggest({ label, value, onChange, options, isLabelHidden = false, onCommit, ...rest }: Props) {
  return (
    <ComboBox
      {...rest}
      className="field"
      aria-label={isLabelHidden ? label : undefined}
      allowsCustomValue
      menuTrigger="focus"
      inputValue={value}
      onInputChange={onChange}
    >
      {isLabelHidden ? null : <Label>{label}</Label>}
      <Input
        className="input"
        onKeyDown={(event) => {
          if (event.key === "Enter" && onCommit) onCommit();
        }}
      />
      <Popover className="popover">
        <ListBox className="options">
          {[...new Set(options)].map((option) => (
            <ListBoxItem key={option} id={option} className="option" textValue={option}>
              {option}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
