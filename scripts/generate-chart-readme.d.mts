export function chartReadme(): string;
