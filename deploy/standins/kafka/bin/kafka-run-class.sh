#!/usr/bin/env bash
# kafka-run-class.sh CLASS ARGUMENT…, as all of Kafka's commands are run.
exec "$JAVA_HOME/bin/java" ${KAFKA_HEAP_OPTS:--Xmx256M} -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
  --enable-native-access=ALL-UNNAMED ${KAFKA_JVM_PERFORMANCE_OPTS} \
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.yaml} ${KAFKA_OPTS} \
  -cp "/opt/kafka/libs/*" "$@"
