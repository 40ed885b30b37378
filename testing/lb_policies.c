/* lb_policies.c - contract in lb_policies.h. */
#include "testing/lb_policies.h"

const struct rota_lb_class *const rota_test_policies[] = {
    &rota_lb_pick_first,
    &rota_lb_round_robin,
    &rota_lb_least_request,
    &rota_lb_random,
    &rota_lb_weighted_round_robin,
    &rota_lb_ring_hash,
    &rota_lb_random_subsetting,
    &rota_lb_weighted_target,
    &rota_lb_priority,
    &rota_lb_outlier_detection,
    &rota_lb_panic,
    &rota_lb_peak_ewma,
    &rota_lb_adaptive,
    &rota_lb_zone_aware,
    NULL,
};

const char *const rota_test_lb_configs[] = {
    "[{\"pick_first\":{}}]",
    "[{\"pick_first\":{\"shuffleAddressList\":true,\"connectionAttemptDelay\":\"0.1s\"}}]",
    "[{\"round_robin\":{}}]",
    "[{\"least_request\":{\"choiceCount\":3}}]",
    "[{\"random\":{}}]",
    "[{\"random\":{\"slowStartConfig\":{\"slowStartWindow\":\"2s\",\"aggression\":2}}}]",
    "[{\"weighted_round_robin\":{\"blackoutPeriod\":\"0s\",\"enableOobLoadReport\":true}}]",
    "[{\"weighted_round_robin\":{\"blackoutPeriod\":\"0s\",\"metricNamesForComputingUtilization\":[\"utilization.disk\"]}}]",
    "[{\"ring_hash\":{\"minRingSize\":16,\"maxRingSize\":64}}]",
    "[{\"random_subsetting\":{\"subsetSize\":2,\"childPolicy\":[{\"least_request\":{}}]}}]",
    "[{\"weighted_target\":{\"targets\":{\"\":{\"weight\":2,\"childPolicy\":[{\"pick_first\":{}}]},"
        "\"x\":{\"weight\":1,\"childPolicy\":[{\"round_robin\":{}}]}}}}]",
    "[{\"priority\":{\"priorities\":[\"\",\"1\"],\"children\":{\"\":{\"config\":[{\"round_robin\":{}}]},\"1\":{\"config\":[{\"random\":{}}]}}}}]",
    "[{\"outlier_detection\":{\"interval\":\"1s\",\"smallCluster\":true,\"childPolicy\":[{\"round_robin\":{}}]}}]",
    "[{\"panic\":{\"childPolicy\":[{\"least_request\":{}}]}}]",
    "[{\"panic\":{\"thresholdPercent\":70,\"childPolicy\":[{\"outlier_detection\":{\"interval\":\"1s\",\"smallCluster\":true,\"childPolicy\":[{\"round_robin\":{}}]}}]}}]",
    "[{\"outlier_detection\":{\"interval\":\"1s\",\"smallCluster\":true,\"childPolicy\":[{\"panic\":{\"childPolicy\":[{\"random\":{}}]}}]}}]",
    "[{\"peak_ewma\":{\"decayTime\":\"1s\"}}]",
    "[{\"zone_aware\":{\"zone\":\"x\",\"childPolicy\":[{\"adaptive\":{}}]}}]",
    "[{\"zone_aware\":{\"childPolicy\":[{\"pick_first\":{}}]}}]",
    "[{\"zone_aware\":{\"zone\":\"x\",\"probePercent\":50,\"childPolicy\":[{\"panic\":{\"childPolicy\":[{\"ring_hash\":{\"minRingSize\":16}}]}}]}}]",
    "[{\"adaptive\":{}}]",
    "[{\"ring_hash\":{\"entriesPerWeight\":3,\"minRingSize\":1,\"maxRingSize\":64,\"requestHashHeader\":\"key\"}}]",
    "[{\"outlier_detection\":{\"interval\":\"0.5s\",\"maxEjectionPercent\":100,\"baseEjectionTime\":\"1s\",\"successRateEjection\":{\"minimumHosts\":1,"
        "\"requestVolume\":1,\"stdevFactor\":500},\"childPolicy\":[{\"weighted_round_robin\":{\"blackoutPeriod\":\"0.1s\"}}]}}]",
    "[{\"priority\":{\"priorities\":[\"\",\"1\"],\"children\":{\"\":{\"config\":[{\"outlier_detection\":{\"smallCluster\":true,\"childPolicy\":[{\"random_subsetting\":{"
        "\"subsetSize\":3,\"childPolicy\":[{\"adaptive\":{}}]}}]}}]},\"1\":{\"config\":[{\"peak_ewma\":{}}]}}}}]",
    "[{\"adaptive\":{\"slowStartConfig\":{\"minWeightPercent\":0}}}]",
    "[{\"outlier_detection\":{\"interval\":\"1s\",\"smallCluster\":true,\"childPolicy\":[{\"outlier_detection\":{\"interval\":\"0.7s\",\"smallCluster\":true,"
        "\"childPolicy\":[{\"round_robin\":{}}]}}]}}]",
    NULL,
};
