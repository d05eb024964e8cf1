# The service. Build: docker build -t bursar . Run: see docker-compose.yml.

FROM node:22.14-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY policies policies
COPY src src
RUN npm run build

FROM node:22.14-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Clients of databases are optional, and developed with: the image has the two that a service needs, in the versions of the lock file.
RUN for name in ioredis pg; do \
    npm pkg set "dependencies.$name=$(node -p "require('./package.json').devDependencies['$name']")" && npm pkg delete "devDependencies.$name" || exit 1; \
  done \
  && npm install --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22.14-slim
# The port is 8787, unless BURSAR_PORT or PORT says another.
ENV NODE_ENV=production BURSAR_HOST=0.0.0.0
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
# Where a configuration stands, or is mounted; beside it, settles wait for a store that is away. An embedded SQLite file may be written here too.
RUN mkdir /data && chown node:node /data
VOLUME /data
WORKDIR /data
USER node
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.BURSAR_PORT || process.env.PORT || 8787) + '/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node hears SIGTERM itself, and the service ends what is under way.
CMD ["node", "/app/dist/src/cli/main.js", "serve"]
