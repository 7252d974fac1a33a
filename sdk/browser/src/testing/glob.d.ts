// What Vitest makes of the files that a pattern names.
interface ImportMeta {
  glob<File>(pattern: string, options: { eager: true; import: 'default'; query?: '?raw' }): Record<string, File>;
}
