"""Models of scikit-learn: those that a safe skops file may hold, and any others."""

import warnings
from typing import Any

import numpy

from tests.properties.scanning.drawn import Chance, Made

ROWS = 24


def rows(random: Chance) -> tuple[Any, Any]:
    """Return features and labels of two classes."""
    drawn = numpy.random.default_rng(random.randrange(2**32))
    features = drawn.random((ROWS, random.randrange(2, 6)))
    return features, (features[:, 0] > numpy.median(features[:, 0])).astype(int)


def fitted(random: Chance, kind: Any) -> Any:
    """Fit a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind.fit(*rows(random))


def on_the_list(random: Chance) -> Any:
    """Return a model of the short list of what a safe skops file may hold."""
    from sklearn import compose, discriminant_analysis, linear_model, naive_bayes, pipeline, svm
    from sklearn import preprocessing as prepared
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer

    scale = random.choice((prepared.StandardScaler, prepared.MinMaxScaler))()
    columns = [("a", scale, [0]), ("b", SimpleImputer(), slice(1, 3))]
    first = random.choice(
        (
            scale,
            prepared.QuantileTransformer(n_quantiles=9),
            prepared.OrdinalEncoder(dtype=random.choice((float, numpy.int32))),
            prepared.FunctionTransformer(),
            pipeline.make_union(scale, PCA(1, random_state=random.choice((3, None)))),
            compose.ColumnTransformer(columns, remainder=random.choice(("drop", "passthrough"))),
        )
    )
    last = random.choice(
        (
            linear_model.LogisticRegression(class_weight=random.choice((None, {0: 1.0, 1: 2.0}))),
            linear_model.LogisticRegressionCV(cv=2),
            linear_model.Ridge(),
            linear_model.LinearRegression(),
            linear_model.LassoCV(cv=2),
            svm.LinearSVC(),
            naive_bayes.GaussianNB(),
            discriminant_analysis.LinearDiscriminantAnalysis(),
        )
    )
    return fitted(random, pipeline.make_pipeline(first, last) if random.random() < 0.6 else last)


def beyond_the_list(random: Chance) -> Any:
    """Return a model that is not on that list; trees stand by themselves."""
    from sklearn import (
        cluster,
        dummy,
        feature_selection,
        linear_model,
        model_selection,
        neighbors,
        svm,
    )
    from sklearn import preprocessing as prepared
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline

    logistic = linear_model.LogisticRegression()
    kind = random.choice(
        (
            svm.SVC(),
            svm.NuSVR(),
            neighbors.KNeighborsClassifier(3, algorithm="brute"),
            cluster.KMeans(2, n_init=1, random_state=0),
            logistic,
            linear_model.SGDClassifier(random_state=0),
            MLPClassifier((2,), max_iter=2),
            dummy.DummyClassifier(strategy="stratified", random_state=numpy.random.RandomState(3)),
            feature_selection.RFE(logistic, n_features_to_select=1),
            model_selection.FixedThresholdClassifier(logistic),
            make_pipeline(prepared.FunctionTransformer(numpy.log1p), logistic),
            make_pipeline(prepared.OneHotEncoder(handle_unknown="ignore"), logistic),
        )
    )
    model = fitted(random, kind)
    return model.sparsify() if kind is logistic else model


def trees(random: Chance) -> Any:
    """Return a model of trees."""
    from sklearn import ensemble, tree

    return fitted(
        random,
        random.choice(
            (
                ensemble.RandomForestClassifier(3),
                ensemble.GradientBoostingRegressor(n_estimators=3),
                ensemble.HistGradientBoostingClassifier(max_iter=2),
                tree.DecisionTreeClassifier(),
                ensemble.IsolationForest(n_estimators=3),
                ensemble.ExtraTreesRegressor(3),
            )
        ),
    )


def any_model(random: Chance) -> Any:
    """Return any of these."""
    return random.choice((on_the_list, beyond_the_list, trees))(random)


def skops(random: Chance) -> Made:
    """A model of the short list by skops."""
    import skops.io

    return {"model.skops": skops.io.dumps(on_the_list(random))}, ("skops",)


def skops_beyond_the_list(random: Chance) -> Made:
    """Any other model by skops."""
    import skops.io

    kind = random.choice((beyond_the_list, beyond_the_list, trees))
    return {"model.skops": skops.io.dumps(kind(random))}, ("skops",)
