import { useQueryClient } from "@tanstack/react-query";
import { Upload } from "lucide-react";
import { useState } from "react";
import { Button, FileTrigger } from "react-aria-components";
import { path, said, send } from "../api/client";
import { tell } from "../ui/Toasts";

/** Upload files into the raw dataset, one after the other; one that fails stops none. */
export function UploadButton({ eid }: { eid: string }) {
  const client = useQueryClient();
  const [progress, setProgress] = useState<string | null>(null);
  const upload = async (files: File[]) => {
    let done = 0;
    for (const [index, file] of files.entries()) {
      setProgress(`${index + 1} of ${files.length}`);
      try {
        await send("POST", path`/experiments/${eid}/uploads`, file, { name: file.name });
        done += 1;
      } catch (error) {
        tell({ text: `${file.name}: ${said(error)}`, isError: true });
      }
    }
    setProgress(null);
    if (done) tell({ text: `${done} uploaded` });
    await Promise.all(
      [
        ["items", eid],
        ["experiment", eid],
      ].map((queryKey) => client.invalidateQueries({ queryKey })),
    );
  };
  return (
    <FileTrigger allowsMultiple onSelect={(files) => void upload([...(files ?? [])])}>
      <Button className="button button-plain" isDisabled={progress !== null}>
        <Upload size={15} aria-hidden="true" />
        {progress ? `Uploading ${progress}` : <span className="action-name">Upload</span>}
      </Button>
    </FileTrigger>
  );
}
