import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.BIOIMAGEIT_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  base: "./",
  build: {
    outDir: "../src/bioimageit_core/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: URLs would want a looser content security policy
    chunkSizeWarningLimit: 4000,
    license: { fileName: "licences.md" },
  },
  server: { proxy: { "/api": server } },
});
