export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <div className="notice" role="status">
      <span className="spinner" aria-hidden="true" />
      {what}…
    </div>
  );
}
