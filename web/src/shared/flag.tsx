// The house's flag.

export function Flag({ size = 26 }: { size?: number }) {
  return (
    <svg class="flag" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <path class="pole" d="M6 3h2.500v26H6z" /><path class="orange" d="M8.500 4h9.500v8H8.500zM18 12h9.500v8H18z" /><path class="yellow" d="M18 4h9.500v8H18zM8.500 12H18v8H8.500z" />
    </svg>
  );
}
