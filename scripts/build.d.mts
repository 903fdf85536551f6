export function build(onStart?: () => void): void;
