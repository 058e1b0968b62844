/// <reference types="vite/client" />

/** True only under `npm run dev:mock`; a literal `false` in every build, so that fixtures are dropped. */
declare const __MOCK__: boolean;
